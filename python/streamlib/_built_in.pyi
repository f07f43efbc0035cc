# Made by scripts/python-stubs from the registry of built-in processors. Do not edit.
import collections.abc
import typing

from ._native import BuiltIn as BuiltIn

__all__ = ["BuiltIn", "BouncingBall", "Camera", "Display", "Images", "Null", "Record", "SaveImages", "TestPattern"]
classes: dict[str, type[BuiltIn]]

class BouncingBall(BuiltIn):
    """Draws a ball that bounces over the video.

    Input `in`: VideoFrame (rgba8).
    Output `out`: VideoFrame (rgba8).

    Parameters:
        color: array or object, 0 to 255, default [255, 102, 0]
            Red, green and blue, 0 to 255; or keyframes of them.
        damping: number, 0 to 1, default 0.85
            How much of its speed a bounce on the floor leaves.
        gravity: number, 0 to 100, default 1.6
            How fast it falls, in picture heights per second squared.
        radius: number, 0.001 to 0.5, default 0.08
            Radius in picture heights.
        speed: number, -10 to 10, default 0.4
            How fast it goes sideways, in picture heights per second.
    """
    def __new__(
        cls,
        *,
        color: collections.abc.Sequence[typing.Any] | collections.abc.Mapping[str, typing.Any] = ...,
        damping: float = ...,
        gravity: float = ...,
        radius: float = ...,
        speed: float = ...,
    ) -> BouncingBall: ...
    def __init__(
        self,
        *,
        color: collections.abc.Sequence[typing.Any] | collections.abc.Mapping[str, typing.Any] = ...,
        damping: float = ...,
        gravity: float = ...,
        radius: float = ...,
        speed: float = ...,
    ) -> None: ...
    @property
    def color(self) -> collections.abc.Sequence[typing.Any] | collections.abc.Mapping[str, typing.Any]: ...
    @property
    def damping(self) -> float: ...
    @property
    def gravity(self) -> float: ...
    @property
    def radius(self) -> float: ...
    @property
    def speed(self) -> float: ...

class Camera(BuiltIn):
    """Captures from a camera.

    Output `out`: VideoFrame (yuyv, uyvy, nv12, i420, i422, i444, rgb24, bgr24, grey8).

    Parameters:
        backend: 'auto' or 'v4l' or 'nokhwa', default 'auto'; cannot be set while the graph runs
            Which code talks to it. Default: `auto`.
        choose: 'nearest' or 'exact' or 'largest', default 'nearest'; cannot be set while the graph runs
            `nearest`, `exact` or `largest`: which mode is taken where the camera has several, or not the one that is asked for.
            Default: `nearest`.
        controls: object, default None
            What is set of the camera itself, by the names that `v4l2-ctl` has (`exposure_time_absolute`): a number, `true` or
            `false`, or the name of a menu's item. Switches and menus are set before numbers. What is left out stays as it is. Linux
            only. Default: nothing.
        device: integer or string, default ''; cannot be set while the graph runs
            Which camera: its number, its name or a part of it, its path (`/dev/video2`), the socket that it is plugged into
            (`bus:usb-0000:00:14.0-1`) or its serial number (`serial:1A2B3C`). Default: the first.
        matrix: 'bt601' or 'bt709' or null, default None
            The matrix of its Y'CbCr. Default: what the driver says, else BT.601 up to 576 lines and BT.709 above; of `mjpeg` BT.601.
            It means nothing to pictures that are red, green and blue, or luma alone.
        pixel_format: 'yuyv' or 'uyvy' or 'nv12' or 'i420' or 'rgb24' or 'bgr24' or 'mjpeg' or 'grey8' or null, default None; cannot be set while the graph runs
            How the camera is to code its pictures; a camera that does not offer it is an error. Default: whichever it has at the
            chosen size and rate, uncompressed rather than `mjpeg`, with colour rather than without.
        range: 'limited' or 'full' or null, default None
            The range of its Y'CbCr or luma. Default: what the driver says, else limited; of `mjpeg` and `grey8` full. It means nothing
            to red, green and blue.
        rate: number or string or null, default None; cannot be set while the graph runs
            Pictures a second; `choose` says what is taken where the camera does not have it at this size. Default: 30.
        size: string or array or null, default None; cannot be set while the graph runs
            The picture's size, for example `1280x720`; `choose` says what is taken where the camera does not have it. Default: the
            largest up to 1920x1080 that reaches the frame rate.
        timeout: number, default 5.0; cannot be set while the graph runs
            How many seconds to wait for a picture before the camera counts as stalled. Default: 5. The `nokhwa` backend cannot
            keep it.
    """
    def __new__(
        cls,
        *,
        backend: typing.Literal["auto"] | typing.Literal["v4l"] | typing.Literal["nokhwa"] = ...,
        choose: typing.Literal["nearest"] | typing.Literal["exact"] | typing.Literal["largest"] = ...,
        controls: collections.abc.Mapping[str, typing.Any] = ...,
        device: int | str = ...,
        matrix: typing.Literal["bt601"] | typing.Literal["bt709"] | None = ...,
        pixel_format: typing.Literal["yuyv"]
        | typing.Literal["uyvy"]
        | typing.Literal["nv12"]
        | typing.Literal["i420"]
        | typing.Literal["rgb24"]
        | typing.Literal["bgr24"]
        | typing.Literal["mjpeg"]
        | typing.Literal["grey8"]
        | None = ...,
        range: typing.Literal["limited"] | typing.Literal["full"] | None = ...,
        rate: float | str | None = ...,
        size: str | collections.abc.Sequence[typing.Any] | None = ...,
        timeout: float = ...,
    ) -> Camera: ...
    def __init__(
        self,
        *,
        backend: typing.Literal["auto"] | typing.Literal["v4l"] | typing.Literal["nokhwa"] = ...,
        choose: typing.Literal["nearest"] | typing.Literal["exact"] | typing.Literal["largest"] = ...,
        controls: collections.abc.Mapping[str, typing.Any] = ...,
        device: int | str = ...,
        matrix: typing.Literal["bt601"] | typing.Literal["bt709"] | None = ...,
        pixel_format: typing.Literal["yuyv"]
        | typing.Literal["uyvy"]
        | typing.Literal["nv12"]
        | typing.Literal["i420"]
        | typing.Literal["rgb24"]
        | typing.Literal["bgr24"]
        | typing.Literal["mjpeg"]
        | typing.Literal["grey8"]
        | None = ...,
        range: typing.Literal["limited"] | typing.Literal["full"] | None = ...,
        rate: float | str | None = ...,
        size: str | collections.abc.Sequence[typing.Any] | None = ...,
        timeout: float = ...,
    ) -> None: ...
    @property
    def backend(self) -> typing.Literal["auto"] | typing.Literal["v4l"] | typing.Literal["nokhwa"]: ...
    @property
    def choose(self) -> typing.Literal["nearest"] | typing.Literal["exact"] | typing.Literal["largest"]: ...
    @property
    def controls(self) -> collections.abc.Mapping[str, typing.Any]: ...
    @property
    def device(self) -> int | str: ...
    @property
    def matrix(self) -> typing.Literal["bt601"] | typing.Literal["bt709"] | None: ...
    @property
    def pixel_format(
        self,
    ) -> (
        typing.Literal["yuyv"]
        | typing.Literal["uyvy"]
        | typing.Literal["nv12"]
        | typing.Literal["i420"]
        | typing.Literal["rgb24"]
        | typing.Literal["bgr24"]
        | typing.Literal["mjpeg"]
        | typing.Literal["grey8"]
        | None
    ): ...
    @property
    def range(self) -> typing.Literal["limited"] | typing.Literal["full"] | None: ...
    @property
    def rate(self) -> float | str | None: ...
    @property
    def size(self) -> str | collections.abc.Sequence[typing.Any] | None: ...
    @property
    def timeout(self) -> float: ...

class Display(BuiltIn):
    """Shows the newest frame in a window.

    Input `in`: VideoFrame (rgba8).

    Parameters:
        size: string or array or null, default None; cannot be set while the graph runs
            The window's size at first; null: that of the first frame.
        title: string, default 'streamlib'
            The window's title.
        vsync: boolean, default True; cannot be set while the graph runs
            Whether pictures change between two refreshes of the screen only. Without it latency is lower and pictures may tear.
    """
    def __new__(cls, *, size: str | collections.abc.Sequence[typing.Any] | None = ..., title: str = ..., vsync: bool = ...) -> Display: ...
    def __init__(self, *, size: str | collections.abc.Sequence[typing.Any] | None = ..., title: str = ..., vsync: bool = ...) -> None: ...
    @property
    def size(self) -> str | collections.abc.Sequence[typing.Any] | None: ...
    @property
    def title(self) -> str: ...
    @property
    def vsync(self) -> bool: ...

class Images(BuiltIn):
    """Reads PNG and JPEG files as a stream, by a pattern of names.

    Output `out`: VideoFrame (rgba8).

    Parameters:
        broken: 'skip' or 'stop', default 'skip'
            What a file comes to that cannot be read: `skip` leaves it out and counts it, and is an error only if all are broken;
            `stop` ends with an error.
        path: string, default '*.png'; cannot be set while the graph runs
            Which files: a pattern with `*`, `?`, `[a-z]` and `**`, one file, or a folder for all .png, .jpg and .jpeg in it.
        rate: number or string, default '30'
            Pictures a second, as 30 or "30000/1001". Offline it only decides which time each has.
        repeat: boolean, default False
            Whether it begins again after the last picture, for ever.
    """
    def __new__(
        cls, *, broken: typing.Literal["skip"] | typing.Literal["stop"] = ..., path: str = ..., rate: float | str = ..., repeat: bool = ...
    ) -> Images: ...
    def __init__(
        self, *, broken: typing.Literal["skip"] | typing.Literal["stop"] = ..., path: str = ..., rate: float | str = ..., repeat: bool = ...
    ) -> None: ...
    @property
    def broken(self) -> typing.Literal["skip"] | typing.Literal["stop"]: ...
    @property
    def path(self) -> str: ...
    @property
    def rate(self) -> float | str: ...
    @property
    def repeat(self) -> bool: ...

class Null(BuiltIn):
    """Counts frames and lets them go.

    Input `in`: VideoFrame (rgba8, yuyv, uyvy, nv12, i420, i422, i444, grey8, rgb24, bgr24).
    """
    def __new__(cls) -> Null: ...
    def __init__(self) -> None: ...

class Record(BuiltIn):
    """Records frames as H.264 in a fragmented MP4 file.

    Input `in`: VideoFrame (i420).

    Parameters:
        bitrate: integer or null, 10000 to 2.4e+08, default None; cannot be set while the graph runs
            Bits a second on average, instead of constant quality.
        keyframe_interval: number, 0 to 60, default 2.0; cannot be set while the graph runs
            The longest time between two keyframes in seconds. Longer saves bits and makes seeking slower.
        path: string, default 'recording.mp4'; cannot be set while the graph runs
            The file to write. One that is there already is replaced when the new one plays.
        quality: integer or null, 12 to 51, default None; cannot be set while the graph runs
            Constant quality: the quantizer, from 12 (hardly to be told from the source) to 51 (coarse). Null, and no bitrate: 26.
        sync: boolean, default False; cannot be set while the graph runs
            Whether the file survives a power failure, up to the last fragment: each is waited for until the disk has it. Costs time, and
            wears flash memory. Without it the file survives whatever ends the process.
    """
    def __new__(
        cls, *, bitrate: int | None = ..., keyframe_interval: float = ..., path: str = ..., quality: int | None = ..., sync: bool = ...
    ) -> Record: ...
    def __init__(
        self, *, bitrate: int | None = ..., keyframe_interval: float = ..., path: str = ..., quality: int | None = ..., sync: bool = ...
    ) -> None: ...
    @property
    def bitrate(self) -> int | None: ...
    @property
    def keyframe_interval(self) -> float: ...
    @property
    def path(self) -> str: ...
    @property
    def quality(self) -> int | None: ...
    @property
    def sync(self) -> bool: ...

class SaveImages(BuiltIn):
    """Writes frames to numbered PNG or JPEG files.

    Input `in`: VideoFrame (rgba8).

    Parameters:
        first: integer, default 0; cannot be set while the graph runs
            The first file's number.
        format: 'png' or 'jpeg' or null, default None; cannot be set while the graph runs
            The kind of file. Null: as the name's end says, in a folder PNG.
        path: string, default 'frame-%05d.png'; cannot be set while the graph runs
            Which files: a name with a place for the number, as frames/frame-%05d.png (a % is written %%), or a folder, which must be
            there and gets 00000.png, 00001.png and so on.
        quality: integer, 1 to 100, default 90
            JPEG's quality, from 1 (smallest) to 100 (best). PNG loses nothing and does not ask.
    """
    def __new__(
        cls, *, first: int = ..., format: typing.Literal["png"] | typing.Literal["jpeg"] | None = ..., path: str = ..., quality: int = ...
    ) -> SaveImages: ...
    def __init__(
        self, *, first: int = ..., format: typing.Literal["png"] | typing.Literal["jpeg"] | None = ..., path: str = ..., quality: int = ...
    ) -> None: ...
    @property
    def first(self) -> int: ...
    @property
    def format(self) -> typing.Literal["png"] | typing.Literal["jpeg"] | None: ...
    @property
    def path(self) -> str: ...
    @property
    def quality(self) -> int: ...

class TestPattern(BuiltIn):
    """Draws moving colour bars with a machine-readable number and time in each picture.

    Output `out`: VideoFrame (rgba8).

    Parameters:
        rate: number or string, default '30'
            Frames a second, as 30 or "30000/1001".
        size: string or array, default '1280x720'
            Width and height in pixels.
    """
    def __new__(cls, *, rate: float | str = ..., size: str | collections.abc.Sequence[typing.Any] = ...) -> TestPattern: ...
    def __init__(self, *, rate: float | str = ..., size: str | collections.abc.Sequence[typing.Any] = ...) -> None: ...
    @property
    def rate(self) -> float | str: ...
    @property
    def size(self) -> str | collections.abc.Sequence[typing.Any]: ...
