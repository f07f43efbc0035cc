"""What is alive, and where it came from: for finding out who keeps memory."""

from ._native import attachments_elsewhere, gpu_objects, live_objects, trace_frames

__all__ = ["attachments_elsewhere", "gpu_objects", "live_objects", "trace_frames"]
