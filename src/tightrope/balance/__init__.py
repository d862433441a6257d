"""The guardian's room: signals -> verdict -> remedy. Pure functions of what was read; imports core alone.

`history` holds readings, `verdicts` concludes from them, `remedies` says what may be done, `guardian` decides.
"""
