"""Version 1 of the API. Every success is `{"success": true, "data": …}`."""
