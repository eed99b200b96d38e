"""Records what the modules of a PyTorch model return on a prompt, as a folder that `minicpmv diff` reads.

    recorder = Recorder(model)
    ...                              # the model answers one prompt with one new token
    recorder.save("dump")            # dump/NAME.npy for each module

It works wherever forward hooks do: on HF's own model, a changed one, in vLLM. docs/conformance.md shows how. Of the
encoder every call counts, named NAME#0, NAME#1, ... where there are several; of all other modules the first, which is
the prompt's.
"""

from pathlib import Path

import numpy
import torch


class Recorder:
    def __init__(self, model: torch.nn.Module):
        self.calls: dict[str, list[numpy.ndarray]] = {}
        self.handles = [
            module.register_forward_hook(self.hook(name)) for name, module in model.named_modules() if name
        ]

    def hook(self, name: str):
        def record(module, _inputs, output):
            calls = self.calls.setdefault(name, [])
            tensor = own_output(module, output)
            if tensor is not None and (not calls or ".vpm." in f".{name}."):
                calls.append(tensor.detach().to("cpu", torch.float32).numpy().copy())

        return record

    def save(self, folder: str) -> None:
        """Writes the tensors and takes the hooks off."""
        for handle in self.handles:
            handle.remove()
        Path(folder).mkdir(parents=True)
        for name, calls in self.calls.items():
            for number, array in enumerate(calls):
                suffix = f"#{number}" if len(calls) > 1 else ""
                numpy.save(Path(folder) / f"{name}{suffix}.npy", array)


def own_output(module: torch.nn.Module, output):
    """The tensor that a module returns, of several the first; None where it returns none."""
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, dict):
        output = tuple(output.values())
    if not isinstance(output, (tuple, list)) or not output or not isinstance(output[0], torch.Tensor):
        return None
    # vLLM's layers return the residual beside their output, for the next norm to add.
    if type(module).__name__.endswith("DecoderLayer") and len(output) == 2 and isinstance(output[1], torch.Tensor):
        return output[0].float() + output[1].float()
    return output[0]
