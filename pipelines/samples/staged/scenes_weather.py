"""Scenes of one van under bad light, bad weather, and with a camera or a stream that is not as it should be."""

from __future__ import annotations

from pipelines.samples.staged.scene import Scene, drive
from pipelines.samples.staged.setting import PLACE, Setting, arrives, visits
from pipelines.samples.staged.weather import Weather


def weather_scenes(setting: Setting) -> list[Scene]:
    """In the order of the table in docs/."""
    van, scene = setting.van, setting.scene
    stays = drive(1, van, [*arrives(10.0), (60.0, *PLACE)])
    goes = drive(1, van, visits(10.0, 40.0))
    return [
        scene("night", "gamma 2.2, noise", [goes], 55, weather=Weather(noise=5.0, gamma=2.2)),
        scene(
            "headlights",
            "dusk; another car's lamps shine on the place for 6 s",
            [goes],
            55,
            weather=Weather(noise=4.0, gamma=1.7, headlights=((28.0, 34.0, 600.0, 230.0),)),
        ),
        scene(
            "moving shadow", "a hard shadow crosses the road again and again", [goes], 55, weather=Weather(shadow=80.0)
        ),
        scene("shadow on an empty road", "the same without a van", [], 40, weather=Weather(shadow=80.0)),
        scene("rain", "rain on a standing van", [goes], 55, weather=Weather(noise=3.0, rain=260)),
        scene("rain at night", "the same at gamma 2.2", [goes], 55, weather=Weather(noise=5.0, gamma=2.2, rain=260)),
        scene("snow at night", "large flakes, gamma 2.2", [goes], 55, weather=Weather(noise=5.0, gamma=2.2, snow=600)),
        scene("camera shake", "2 px of wind", [goes], 55, weather=Weather(shake_px=2.0)),
        scene(
            "camera turned",
            "the camera is pushed by 4 degrees at 35 s; the case stays open",
            [stays],
            55,
            weather=Weather(turned=(35.0, 4.0)),
            faults=(("view_moved", 35.0, None),),
        ),
        scene(
            "lens covered",
            "a bag over the camera from 32 s to 52 s, while the van stands",
            [drive(1, van, visits(10.0, 65.0))],
            80,
            weather=Weather(covered=(32.0, 52.0)),
            faults=(("covered", 32.0, 52.0),),
        ),
        scene(
            "out of focus",
            "4 px out of focus from 32 s to 52 s, while the van stands",
            [drive(1, van, visits(10.0, 65.0))],
            80,
            weather=Weather(blurred=(32.0, 52.0, 4.5)),
            faults=(("blurred", 32.0, 52.0),),
        ),
        scene(
            "frozen picture",
            "one picture from 30 s to 70 s, while the van stands",
            [drive(1, van, visits(10.0, 80.0))],
            95,
            weather=Weather(frozen=(30.0, 70.0)),
            faults=(("frozen", 30.0, 70.0),),
        ),
        scene(
            "infra-red",
            "at dusk the camera switches to its own lamps at 30 s",
            [goes],
            55,
            weather=Weather(noise=4.0, gamma=1.5, infrared=30.0),
        ),
        scene("lost pictures", "40 % of the pictures never arrive", [goes], 55, weather=Weather(lost=0.4)),
        scene(
            "outage",
            "no pictures for 30 s while the van stands",
            [drive(1, van, visits(10.0, 72.0))],
            85,
            outages=((30.0, 60.0),),
        ),
        scene("restart", "the worker is restarted at 20 s and at 30 s", [goes], 55, restarts=(20.0, 30.0)),
        scene("10 fps", "as `visit`, at 10 pictures a second", [goes], 55, fps=10.0),
        scene("1 fps", "as `visit`, at 1 picture a second", [goes], 55, fps=1.0),
    ]
