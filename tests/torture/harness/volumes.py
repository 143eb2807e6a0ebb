"""Volumes of the trial's own: file systems in memory that can be full."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

FILLER = "filler"
COPIES_MAX = 20


def why_no_mounts(*, images: bool = False) -> str:
    """Return why this process cannot mount (with ``images``: ext4 in a file), or ''."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "mounting a volume needs root, on Linux"
    with tempfile.TemporaryDirectory(prefix="zero-volume-") as folder:
        try:
            volume = ImageVolume(Path(folder) / "image", Path(folder) / "on", 16) if images else MemoryVolume(Path(folder), 1)
        except (OSError, subprocess.CalledProcessError) as error:
            return f"this machine lets nobody mount: {error}"
        volume.close()
    return ""


class MemoryVolume:
    """A tmpfs on a folder."""

    def __init__(self, folder: Path, size_mib: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        options = f"size={size_mib}m,mode=0700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "zero-torture", str(folder)], check=True, capture_output=True)

    def fill(self) -> int:
        """Leave no byte free; return how many were."""
        path, written = self.folder / FILLER, 0
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            for piece in (bytes(1 << 20), bytes(4096), bytes(1)):
                while True:
                    try:
                        written += os.write(descriptor, piece)
                    except OSError:
                        break
        finally:
            os.close(descriptor)
        return written

    def free(self) -> None:
        """Give the space back."""
        (self.folder / FILLER).unlink(missing_ok=True)

    def close(self) -> None:
        """Take the volume away."""
        subprocess.run(["umount", "-l", str(self.folder)], check=False, capture_output=True)


class ImageVolume:
    """An ext4 file system in a file, mounted by a loop device: the file is the disk."""

    def __init__(self, image: Path, folder: Path, size_mib: int = 0) -> None:
        self.image = image
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if size_mib:
            with image.open("wb") as file:
                file.truncate(size_mib << 20)
            subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True, capture_output=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True, capture_output=True)
        folder.chmod(0o700)

    def cut(self, image: Path) -> int:
        """Copy the disk as it is at one moment, without what is still in memory; return how many copies that took.

        A copy during which the disk was written to is none of one moment, and is made again.
        """
        for tries in range(1, COPIES_MAX + 1):
            before = self._written()
            subprocess.run(["cp", "--sparse=always", str(self.image), str(image)], check=True, capture_output=True)
            if self._written() == before:
                return tries
        raise RuntimeError(f"the disk was written to during each of {COPIES_MAX} copies")

    def _written(self) -> tuple[int, ...]:
        """Return what the loop device counts of writes and flushes, and how many requests it has."""
        source = subprocess.run(["findmnt", "-no", "SOURCE", str(self.folder)], check=True, capture_output=True, text=True)
        counts = Path(f"/sys/block/{Path(source.stdout.strip()).name}/stat").read_text().split()
        return int(counts[4]), int(counts[6]), int(counts[8])

    def close(self) -> None:
        """Take the volume away."""
        subprocess.run(["umount", "-l", str(self.folder)], check=False, capture_output=True)
