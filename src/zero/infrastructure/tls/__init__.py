"""TLS for our own listeners: one certificate for all doors, taken up anew while they are open; and a development CA."""
