"""Files as devices and hospitals write them, known by their content; the adapters of folders of them."""

from __future__ import annotations

from ecglfm.sources.devices.cardiosoft_xml import read_cardiosoft, read_cardiosoft_head
from ecglfm.sources.devices.muse_xml import read_muse, read_muse_head
from ecglfm.sources.devices.readers import known_format, read_device_file, read_device_head
from ecglfm.sources.devices.recognition import START, identify, recognise
from ecglfm.sources.devices.recording_files import Head, age_in_years
from ecglfm.sources.devices.xml_files import read_xml

__all__ = [
    "START",
    "Head",
    "age_in_years",
    "identify",
    "known_format",
    "read_cardiosoft",
    "read_cardiosoft_head",
    "read_device_file",
    "read_device_head",
    "read_muse",
    "read_muse_head",
    "read_xml",
    "recognise",
]
