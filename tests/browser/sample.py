"""The sample database of these tests: written once, and anew where its program is newer."""
import pathlib
import shutil
import subprocess


def database(program, folder):
    """Path of the database in the folder; `program` is sample_database."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "sample.sqlite"
    if path.exists() and path.stat().st_mtime >= pathlib.Path(program).stat().st_mtime:
        return path
    for old in folder.glob("sample.sqlite*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    subprocess.run([program, path], check=True)
    return path
