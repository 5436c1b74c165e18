"""The analysis worker and the supervisor that keeps the processes of one machine alive."""
