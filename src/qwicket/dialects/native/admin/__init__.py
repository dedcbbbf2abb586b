"""The part of the native dialect for administrators: `/v1/admin`."""
