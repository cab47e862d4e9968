"""Decisions without I/O: functions of values, tested by tables. Clocks and random numbers are passed in."""
