"""Following objects from picture to picture. Each tracker instance owns its ids."""

from vision.tracking.settings import TrackerSettings
from vision.tracking.tracker import Tracker, Tracking

__all__ = ["Tracker", "TrackerSettings", "Tracking"]
