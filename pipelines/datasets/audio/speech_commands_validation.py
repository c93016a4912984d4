"""The files of `speech_commands` with the official validation tenth held out, to try things with.

The testing tenth is neither trained on nor measured with: it is for last.
"""

from emberline.pipelines.datasets.audio.speech_commands import SpeechCommands

DATASET = SpeechCommands("speech_commands_validation", "validation")
