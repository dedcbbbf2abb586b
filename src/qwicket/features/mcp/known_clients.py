"""What the product shows of clients of MCP and of hosts, the programs with assistants."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import Clients, Snippet

CLIENTS: Final = Clients(
    environments={"mcp": {"QWICKET_URL": "{URL}", "QWICKET_TOKEN": "$QWICKET_TOKEN"}},
    snippets={
        "mcp": Snippet("mcp 2.3.0", suite="native/mcp_2_3"),
        "fastmcp": Snippet("fastmcp 3.4.11", suite="native/fastmcp_3"),
        "mcp-http": Snippet(".mcp.json", "host"),
        "mcp-command": Snippet("a file with mcpServers", "host"),
        "cursor": Snippet("Cursor: .cursor/mcp.json", "host"),
        "vscode": Snippet("VS Code: .vscode/mcp.json", "host"),
        "gemini-cli": Snippet("Gemini CLI: .gemini/settings.json", "host"),
        "codex": Snippet("Codex: .codex/config.toml", "host"),
    },
)
