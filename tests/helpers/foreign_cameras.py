"""Cameras that are not ours: GStreamer's RTSP server, run by the system's Python, which has its bindings.

`python3 foreign_cameras.py` listens on a free port of loopback, prints it as one line, and serves until its input ends.
"""

from __future__ import annotations

import sys
import threading

PICTURE = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=96,framerate=20/1,format=I420"
SOUND = "audiotestsrc is-live=true wave=ticks"
H264 = f"{PICTURE} ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0 pt=96"
H265 = f"{PICTURE} ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph265pay name=pay0 pt=96"
JPEG = f"{PICTURE} ! jpegenc ! rtpjpegpay name=pay0 pt=26"
ALAW = f"{SOUND} ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8"
ULAW = f"{SOUND} ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1 pt=0"
AAC = f"{SOUND} ! audio/x-raw,rate=44100,channels=1 ! audioconvert ! voaacenc ! aacparse ! rtpmp4gpay name=pay1 pt=97"

MOUNTS = {
    "/h264": H264,
    "/h265": H265,
    "/jpeg": JPEG,
    "/h264-aac": f"{H264} {AAC}",
    "/h264-alaw": f"{H264} {ALAW}",
    "/h265-aac": f"{H265} {AAC}",
    "/jpeg-ulaw": f"{JPEG} {ULAW}",
}


def main() -> int:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    mounts = server.get_mount_points()
    for path, pipeline in MOUNTS.items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {pipeline} )")
        factory.set_shared(True)
        mounts.add_factory(path, factory)
    server.attach(None)
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
