"""The syslog door: RFC 5424 and RFC 3164 over TCP, TLS and UDP."""
