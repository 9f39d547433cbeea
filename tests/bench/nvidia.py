"""Query `nvidia-smi` about the GPU that PyTorch calls `cuda:N`."""

import subprocess
import threading

import torch


class Gpu:
    def __init__(self, device):
        if not torch.cuda.is_available():
            raise SystemExit(f"PyTorch {torch.__version__} finds no usable GPU, which --device {device} needs")
        properties = torch.cuda.get_device_properties(torch.device(device))
        # CUDA_VISIBLE_DEVICES renumbers the GPUs but does not change this name.
        self.name = f"GPU-{properties.uuid}"

    def ask(self, what):
        command = ["nvidia-smi", f"--id={self.name}", f"--query-gpu={what}", "--format=csv,noheader,nounits"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def about(self):
        return self.ask("name,driver_version,compute_cap,memory.total,power.limit")

    def memory(self):
        """Return the bytes in use by all programs."""
        return int(self.ask("memory.used")) << 20

    def most_memory(self, work):
        """Return the most bytes in use while `work` runs, from repeated queries."""
        most, done = [self.memory()], threading.Event()

        def look():
            while not done.is_set():
                most.append(self.memory())

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            work()
        finally:
            done.set()
            watcher.join()
        return max(*most, self.memory())
