#!/usr/bin/env bash
# soundfile 0.14.0 (libsndfile 1.2.2): what is read from the middle of a compressed file is not what the whole file
# holds there. Of an MP3 of a tone, thousands of samples after the start come out wrong, most of them silent: frames
# borrow bits from frames before them, which were not read. Near the end of a Vorbis file the samples returned are
# those of a fixed number of places later. `seek`, `start=` and `frames=` are what random crops for training are read
# with: the crop does not fit its label, and nothing fails. FLAC is exact.
#
# Seen: MP3 of a tone at 44,100 Hz from sample 50,000 on: wrong samples 3916; Vorbis of noise, 200,000 samples, 500
#   from 196,000 on: equal to those 192 later; FLAC: wrong samples 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet soundfile==0.14.0 numpy==2.4.6
cd "$folder"
found=$("$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import numpy
import soundfile

tone = 0.5 * numpy.sin(numpy.arange(160_000) * 0.1)
noise = numpy.convolve(numpy.random.default_rng(0).normal(size=200_000), numpy.ones(8) / 8, "same") * 0.2


def whole_and_part(name, sound, rate, start, frames):
    soundfile.write(name, sound, rate)
    return soundfile.read(name)[0], soundfile.read(name, start=start, frames=frames)[0]


def wrong(name, sound):
    whole, part = whole_and_part(name, sound, 44_100, 50_000, -1)
    return (numpy.abs(whole[50_000:] - part) > 1e-3).sum()


tone_wrong = wrong("tone.mp3", tone)
whole, part = whole_and_part("noise.ogg", noise, 16_000, 196_000, 500)
late = [by for by in range(1000) if numpy.abs(whole[196_000 + by : 196_500 + by] - part).max() < 1e-6]
tone_wrong = "thousands" if tone_wrong > 2000 else tone_wrong
print(f"MP3 {tone_wrong} wrong, Vorbis {late} samples off, FLAC {wrong('tone.flac', tone)} wrong")
PYTHON
)
echo "soundfile 0.14.0: $found"
[ "$found" = "MP3 thousands wrong, Vorbis [192] samples off, FLAC 0 wrong" ]
