"""What `nvidia-smi` knows about the GPU that PyTorch calls `cuda:N`."""

import subprocess
import threading

import torch


class Gpu:
    def __init__(self, device):
        if not torch.cuda.is_available():
            raise SystemExit(f"PyTorch {torch.__version__} finds no GPU that it can use, and --device {device} needs one")
        properties = torch.cuda.get_device_properties(torch.device(device))
        # CUDA_VISIBLE_DEVICES changes the numbers, but not this.
        self.name = f"GPU-{properties.uuid}"

    def ask(self, what):
        command = ["nvidia-smi", f"--id={self.name}", f"--query-gpu={what}", "--format=csv,noheader,nounits"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def about(self):
        return self.ask("name,driver_version,compute_cap,memory.total,power.limit")

    def memory(self):
        """Bytes in use, by whatever program."""
        return int(self.ask("memory.used")) << 20

    def most_memory(self, work):
        """The most bytes in use while `work` runs, again and again looked at."""
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
