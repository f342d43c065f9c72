"""Every message on the bus: one class per version, one file per conversation.

Rules of change are in ARCHITECTURE.md, section Messages; `tests/contract` enforces them.
"""
