"""Prints how much space firekeras's dependencies take in this environment, in MB: in all, and for each extra.

    python examples/benchmarks/install_sizes.py

Counts the files of each installed package that firekeras or an extra asks for, directly or through others. Packages
that are not installed are left out. What an extra needs beyond firekeras itself is counted for that extra.
"""

from importlib import metadata

from packaging.requirements import Requirement


def packages(requirements, extra="", known=()):
    """The installed packages that requirements lead to, by name, apart from those known already."""
    found = {}
    queue = [(Requirement(text), extra) for text in requirements]
    while queue:
        wanted, extra = queue.pop()
        name = wanted.name.lower().replace("_", "-")
        if (wanted.marker and not wanted.marker.evaluate({"extra": extra})) or name in found or name in known:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        queue += [(Requirement(text), "") for text in found[name].requires or ()]
        queue += [(Requirement(text), one) for one in wanted.extras for text in found[name].requires or ()]
    return found


def megabytes(found):
    """The size of all files of some packages."""
    paths = {file.locate() for one in found.values() for file in one.files or ()}
    return sum(path.stat().st_size for path in paths if path.exists()) / 1e6


def main():
    ours = metadata.distribution("firekeras")
    base = packages(ours.requires, "tensorflow")
    print(f"tensorflow  {megabytes(packages(['tensorflow'])):6.0f}")
    print(f"firekeras   {megabytes(base):6.0f}, TensorFlow included")
    for extra in sorted(ours.metadata.get_all("Provides-Extra")):
        print(f"{extra:11} {megabytes(packages(ours.requires, extra, base)):6.0f} more")


if __name__ == "__main__":
    main()
