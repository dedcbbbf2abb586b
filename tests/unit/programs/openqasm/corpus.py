"""Well-known algorithms in both languages, written for these tests from their textbook form.

Each has the outcomes that theory gives it: classical bits as a string, highest bit first, as in
OpenQASM's own bit strings.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, pi, sin
from types import MappingProxyType
from typing import NamedTuple


class Program(NamedTuple):
    version: int
    text: str
    outcomes: dict[str, float]
    inputs: Mapping[str, float] = MappingProxyType({})

    @property
    def source(self) -> bytes:
        return self.text.encode()


HEAD_2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
HEAD_3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'

PROGRAMS: dict[str, Program] = {}

_OVERLAP = (cos(pi / 6) * cos(pi / 14)) ** 2 + (sin(pi / 6) * sin(pi / 14)) ** 2

# --- OpenQASM 2 -----------------------------------------------------------------------------------

PROGRAMS["bell"] = Program(
    2,
    HEAD_2 + "qreg q[2];\ncreg c[2];\nh q[0];\ncx q[0],q[1];\nmeasure q -> c;\n",
    {"00": 0.5, "11": 0.5},
)

PROGRAMS["ghz without a library"] = Program(
    2,
    """OPENQASM 2.0; // GHZ of four, from the two gates of the language
qreg q[4];
creg c[4];
U(pi/2,0,pi) q[0];
CX q[0],q[1]; CX q[1],q[2];
CX q[2],q[3];
barrier q;
measure q -> c;
""",
    {"0000": 0.5, "1111": 0.5},
)

PROGRAMS["teleportation"] = Program(
    2,
    HEAD_2
    + """qreg q[3];
creg cz0[1];
creg cx0[1];
creg out[1];
gate prepare a { ry(2*pi/3) a; rz(pi/5) a; }
prepare q[0];
h q[1];
cx q[1],q[2];
barrier q;
cx q[0],q[1];
h q[0];
measure q[0] -> cz0[0];
measure q[1] -> cx0[0];
if(cx0==1) x q[2];
if(cz0==1) z q[2];
// undo what was prepared: the result is 0
rz(-pi/5) q[2]; ry(-2*pi/3) q[2];
measure q[2] -> out[0];
""",
    {"000": 0.25, "001": 0.25, "010": 0.25, "011": 0.25},
)

PROGRAMS["superdense coding"] = Program(
    2,
    HEAD_2
    + """qreg q[2]; creg c[2];
h q[0]; cx q[0],q[1];
z q[0]; x q[0]; // the message 11
cx q[0],q[1]; h q[0];
measure q -> c;
""",
    {"11": 1.0},
)

PROGRAMS["Bernstein-Vazirani"] = Program(
    2,
    HEAD_2
    + """qreg q[6]; creg c[5];
x q[5]; h q;
cx q[0],q[5]; cx q[2],q[5]; cx q[3],q[5]; // the secret 01101
h q[0]; h q[1]; h q[2]; h q[3]; h q[4];
measure q[0]->c[0]; measure q[1]->c[1]; measure q[2]->c[2]; measure q[3]->c[3];
measure q[4]->c[4];
""",
    {"01101": 1.0},
)

PROGRAMS["Deutsch-Jozsa"] = Program(
    2,
    HEAD_2
    + """qreg a[3]; qreg b[1]; creg c[3];
x b; h a; h b;
ccx a[0],a[1],b[0]; cx a[2],b[0]; // balanced
h a;
measure a -> c;
""",
    {"100": 0.25, "101": 0.25, "110": 0.25, "111": 0.25},
)

PROGRAMS["Grover for 101"] = Program(
    2,
    HEAD_2
    + """qreg q[3]; creg c[3];
gate ccz a,b,d { h d; ccx a,b,d; h d; }
gate oracle a,b,d { x b; ccz a,b,d; x b; }
gate mirror a,b,d { h a; h b; h d; x a; x b; x d; ccz a,b,d; x a; x b; x d; h a; h b; h d; }
h q;
oracle q[0],q[1],q[2]; mirror q[0],q[1],q[2];
oracle q[0],q[1],q[2]; mirror q[0],q[1],q[2];
measure q->c;
""",
    {format(k, "03b"): (121 if k == 5 else 1) / 128 for k in range(8)},
)

PROGRAMS["Fourier transform and back"] = Program(
    2,
    HEAD_2
    + """qreg q[4]; creg c[4];
gate qft4 a,b,d,e {
  h e; cu1(pi/2) d,e; cu1(pi/4) b,e; cu1(pi/8) a,e;
  h d; cu1(pi/2) b,d; cu1(pi/4) a,d;
  h b; cu1(pi/2) a,b;
  h a;
  swap a,e; swap b,d;
}
gate iqft4 a,b,d,e {
  swap b,d; swap a,e;
  h a; cu1(-pi/2) a,b;
  h b; cu1(-pi/4) a,d; cu1(-pi/2) b,d;
  h d; cu1(-pi/8) a,e; cu1(-pi/4) b,e; cu1(-pi/2) d,e;
  h e;
}
x q[0]; x q[3];
qft4 q[0],q[1],q[2],q[3];
iqft4 q[0],q[1],q[2],q[3];
measure q -> c;
""",
    {"1001": 1.0},
)

PROGRAMS["inverse Fourier transform with conditions"] = Program(
    2,
    HEAD_2
    + """// measured qubit by qubit, the phases follow from what was read
qreg q[3];
creg c0[1]; creg c1[1]; creg c2[1];
h q;
p(5*pi/4) q[0]; p(5*pi/2) q[1]; p(5*pi) q[2]; // the transform of 5
h q[2]; measure q[2] -> c0[0];
if(c0==1) u1(-pi/2) q[1];
h q[1]; measure q[1] -> c1[0];
if(c0==1) u1(-pi/4) q[0];
if(c1==1) u1(-pi/2) q[0];
h q[0]; measure q[0] -> c2[0];
""",
    {"101": 1.0},
)

PROGRAMS["phase estimation"] = Program(
    2,
    HEAD_2
    + """qreg w[3]; qreg e[1]; creg c[3];
x e;
h w;
cp(2*pi*3/8) w[0],e[0];
cp(2*pi*6/8) w[1],e[0];
cp(2*pi*12/8) w[2],e[0];
swap w[0],w[2];
h w[0]; cp(-pi/2) w[0],w[1]; h w[1]; cp(-pi/4) w[0],w[2]; cp(-pi/2) w[1],w[2]; h w[2];
measure w -> c;
""",
    {"011": 1.0},
)

PROGRAMS["ripple-carry adder"] = Program(
    2,
    HEAD_2
    + """// Cuccaro et al., quant-ph/0410184: b += a
gate majority a,b,c { cx c,b; cx c,a; ccx a,b,c; }
gate unmaj a,b,c { ccx a,b,c; cx c,a; cx a,b; }
qreg cin[1]; qreg a[4]; qreg b[4]; qreg cout[1];
creg ans[5];
x a[0]; x a[2]; // 5
x b;            // 15
majority cin[0],b[0],a[0];
majority a[0],b[1],a[1];
majority a[1],b[2],a[2];
majority a[2],b[3],a[3];
cx a[3],cout[0];
unmaj a[2],b[3],a[3];
unmaj a[1],b[2],a[2];
unmaj a[0],b[1],a[1];
unmaj cin[0],b[0],a[0];
measure b[0] -> ans[0]; measure b[1] -> ans[1]; measure b[2] -> ans[2];
measure b[3] -> ans[3]; measure cout[0] -> ans[4];
""",
    {format(20, "05b"): 1.0},
)

PROGRAMS["repetition code"] = Program(
    2,
    HEAD_2
    + """qreg q[3]; qreg a[2]; creg syn[2]; creg c[3];
gate syndrome d1,d2,d3,a1,a2 { cx d1,a1; cx d2,a1; cx d2,a2; cx d3,a2; }
x q[0]; barrier q; // an error on the first
syndrome q[0],q[1],q[2],a[0],a[1];
measure a -> syn;
if(syn==1) x q[0];
if(syn==2) x q[2];
if(syn==3) x q[1];
measure q -> c;
""",
    {"00001": 1.0},
)

PROGRAMS["W state"] = Program(
    2,
    HEAD_2
    + """qreg q[3]; creg c[3];
u3(1.9106332362490186,0,0) q[0]; // 2 acos(1/sqrt(3))
ch q[0],q[1];
ccx q[0],q[1],q[2];
x q[0]; x q[1];
cx q[0],q[1];
measure q->c;
""",
    {"001": 1 / 3, "010": 1 / 3, "100": 1 / 3},
)

PROGRAMS["swap test"] = Program(
    2,
    HEAD_2
    + """qreg w[1]; qreg a[1]; qreg b[1]; creg c[1];
rx(pi/3) a; ry(pi/7) b;
h w; cswap w[0],a[0],b[0]; h w;
measure w -> c;
""",
    # (1 ± |<a|b>|^2) / 2
    {"0": (1 + _OVERLAP) / 2, "1": (1 - _OVERLAP) / 2},
)

PROGRAMS["Simon"] = Program(
    2,
    HEAD_2
    + """qreg a[2]; qreg b[2]; creg c[2];
h a;
cx a[0],b[0]; cx a[0],b[1]; cx a[1],b[0]; cx a[1],b[1]; // the secret 11
h a;
measure a -> c;
""",
    {"00": 0.5, "11": 0.5},
)

# --- OpenQASM 3 -----------------------------------------------------------------------------------

PROGRAMS["teleportation 3"] = Program(
    3,
    HEAD_3
    + """qubit[3] q;
bit c0;
bit c1;
bit c2;
U(0.3, 0.2, 0.1) q[0];
h q[1];
cx q[1], q[2];
barrier q;
cx q[0], q[1];
h q[0];
c0 = measure q[0];
c1 = measure q[1];
if (c0 == true) { z q[2]; }
if (c1 == true) { x q[2]; }
inv @ U(0.3, 0.2, 0.1) q[2];
c2 = measure q[2];
""",
    {"000": 0.25, "001": 0.25, "010": 0.25, "011": 0.25},
)

PROGRAMS["Fourier transform with loops"] = Program(
    3,
    HEAD_3
    + """const int n = 4;
qubit[n] q;
bit[n] c;
x q[{0, 3}];
for int i in [n - 1:-1:0] {
  h q[i];
  for int j in [i - 1:-1:0] { cp(pi / 2 ** (i - j)) q[j], q[i]; }
}
for int i in [0:n / 2 - 1] { swap q[i], q[n - 1 - i]; }
for int i in [0:n / 2 - 1] { swap q[i], q[n - 1 - i]; }
for int i in [0:n - 1] {
  for int j in [0:i - 1] { inv @ cp(pi / 2 ** (i - j)) q[j], q[i]; }
  h q[i];
}
c = measure q;
""",
    {"1001": 1.0},
)

PROGRAMS["adder with loops"] = Program(
    3,
    HEAD_3
    + """gate majority a, b, c { cx c, b; cx c, a; ccx a, b, c; }
gate unmaj a, b, c { ccx a, b, c; cx c, a; cx a, b; }
qubit cin;
qubit[4] a;
qubit[4] b;
qubit cout;
bit[5] ans;
uint[4] a_in = 1;  // 1 + 15
uint[4] b_in = 15;
for uint i in [0:3] {
  if (bool(a_in[i])) x a[i];
  if (bool(b_in[i])) x b[i];
}
majority cin, b[0], a[0];
for uint i in [0:2] { majority a[i], b[i + 1], a[i + 1]; }
cx a[3], cout;
for uint i in [2:-1:0] { unmaj a[i], b[i + 1], a[i + 1]; }
unmaj cin, b[0], a[0];
ans[0:3] = measure b[0:3];
ans[4] = measure cout;
""",
    {"10000": 1.0},
)

PROGRAMS["Grover with modifiers"] = Program(
    3,
    HEAD_3
    + """gate oracle a, b, d { ctrl @ negctrl @ z d, b, a; }
gate mirror a, b, d {
  h a; h b; h d;
  negctrl(2) @ gphase(0.0) a, b;
  x a; x b; x d; ctrl(2) @ z a, b, d; x a; x b; x d;
  h a; h b; h d;
}
qubit[3] q;
bit[3] c;
h q;
for int step in [1:2] { oracle q[0], q[1], q[2]; mirror q[0], q[1], q[2]; }
c = measure q;
""",
    {format(k, "03b"): (121 if k == 5 else 1) / 128 for k in range(8)},
)

PROGRAMS["phase estimation with powers"] = Program(
    3,
    HEAD_3
    + """const float theta = 3.0 / 8;
gate unknown a { p(tau * theta) a; }
qubit[3] t;
qubit e;
x e;
h t;
for int k in [0:2] { ctrl @ pow(2 ** k) @ unknown t[k], e; }
swap t[0], t[2];
for int i in [0:2] {
  for int j in [0:i - 1] { cp(-pi / 2 ** (i - j)) t[j], t[i]; }
  h t[i];
}
bit[3] c = measure t;
""",
    {"011": 1.0},
)

PROGRAMS["iterative phase estimation"] = Program(
    3,
    HEAD_3
    + """// Dobšíček et al., quant-ph/0610214: one qubit reads all digits, the lowest first
qubit control;
qubit target;
bit[3] c;
x target;
for int k in [0:2] {
  reset control;
  h control;
  ctrl @ pow(2 ** (2 - k)) @ p(tau * 5 / 8) control, target;
  for int j in [0:k - 1] { if (c[j]) p(-pi / 2 ** (k - j)) control; }
  h control;
  c[k] = measure control;
}
""",
    {"101": 1.0},
)

PROGRAMS["repetition code with switch"] = Program(
    3,
    HEAD_3
    + """qubit[3] q;
qubit[2] a;
bit[2] syndrome;
bit[3] c;
let first = q[0];
let pair = q[1:2];
x pair[0];
cx q[0], a[0]; cx q[1], a[0]; cx q[1], a[1]; cx q[2], a[1];
syndrome = measure a;
switch (syndrome) {
  case 1 { x first; }
  case 2 { x pair[1]; }
  case 3 { x pair[0]; }
  default {}
}
measure q -> c;
""",
    {"00011": 1.0},
)

PROGRAMS["parity by feedback"] = Program(
    3,
    HEAD_3
    + """qubit[3] q;
bit[2] c;
bit even;
h q[0];
h q[1];
c = measure q[0:1];
if (c[0] ^ c[1]) { x q[2]; }
if (c == 3 && !(c[0] == 0) || c == "00") { x q[2]; }
even = measure q[2];
""",
    {"100": 0.25, "101": 0.25, "110": 0.25, "111": 0.25},
)

PROGRAMS["W state with loops"] = Program(
    3,
    HEAD_3
    + """const int n = 4;
qubit[n] q;
x q[0];
for int k in [1:n - 1] {
  cry(2 * arccos(sqrt(1.0 / (n - k + 1)))) q[k - 1], q[k];
  cx q[k], q[k - 1];
}
bit[n] c = measure q;
""",
    {"0001": 0.25, "0010": 0.25, "0100": 0.25, "1000": 0.25},
)

PROGRAMS["hidden shift"] = Program(
    3,
    HEAD_3
    + """qubit[4] q;
bit[4] c;
gate bent a, b, d, e { cz a, b; cz d, e; }
h q;
x q[{1, 2}];
bent q[0], q[1], q[2], q[3];
x q[{1, 2}];
h q;
bent q[0], q[1], q[2], q[3];
h q;
c = measure q;
""",
    {"0110": 1.0},
)

PROGRAMS["ansatz with inputs"] = Program(
    3,
    HEAD_3
    + """input float theta;
input angle[32] phi;
input int layers;
qubit[2] q;
for int layer in [1:layers] { ry(theta) q[0]; rz(phi) q[0]; }
cx q[0], q[1];
bit[2] c = measure q;
""",
    {"00": cos(pi / 6) ** 2, "11": sin(pi / 6) ** 2},
    {"theta": pi / 3, "phi": 0.7, "layers": 1},
)

PROGRAMS["physical qubits"] = Program(
    3,
    """OPENQASM 3;
include "stdgates.inc";
bit[2] c;
rz(pi / 2) $0;
sx $0;
rz(pi / 2) $0;
cx $0, $2;
c[0] = measure $0;
c[1] = measure $2;
""",
    {"00": 0.5, "11": 0.5},
)

PROGRAMS["measure until one"] = Program(
    3,
    HEAD_3
    + """qubit q;
bit c;
bit done;
qubit flag;
for int try in [1:3] {
  h q;
  c = measure q;
  if (c) { x flag; break; }
  reset q;
}
done = measure flag;
""",
    {"00": 1 / 8, "11": 7 / 8},
)

VALID_2 = [program for program in PROGRAMS.values() if program.version == 2]
VALID_3 = [program for program in PROGRAMS.values() if program.version == 3]
