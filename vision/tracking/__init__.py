"""Following objects from picture to picture. Each tracker instance owns its ids."""

from vision.tracking.tracker import Tracker, TrackerSettings, Tracking

__all__ = ["Tracker", "TrackerSettings", "Tracking"]
