"""Staged scenes: real pixels of the sample footage, put together anew, so that what happens is known exactly.

`plate` is the empty campus road, `cast` the people and vehicles cut out of the footage, `moves` where they are when,
`stage` draws them, `weather` spoils the picture, `scene` is one scene with its truth; `gate` is the clip of the sample
camera and `scenes` the suite for evaluation.
"""
