"""HDF5 files that may come from strangers: written into memory and sealed, read without HDF5's own library.

The library (through h5py) cannot be trusted with a file that may be damaged or hostile: one lost block of its global
heap sends it into a loop that nothing interrupts, a virtual data set of itself crashes the process, and links and
external storage take numbers from any file on the disk. So our files stay HDF5, which any tool opens, but are read here
by a parser of the small part of HDF5 that we write: groups, attributes, whole and gzipped arrays, texts. Anything else
is refused: links, virtual data sets and external files have no code here that could follow them. Each byte read is paid
from a budget that grows with the file, so no structure can loop, and no shape is believed before its bytes are found.

What was weighed instead:

- a child process with limits of time and memory would stop loops and crashes, but takes half a second per file, limits
  memory on some systems only, and still follows links unless everything is checked first, by the library itself;
- another container would leave every other tool without our numbers, and files of earlier releases unreadable;
- texts of fixed length avoid the global heap, but not the rest of the library, and h5py gives them back as bytes.

A seal, the SHA-256 of all bytes before it, is appended to each file: HDF5 ignores what follows its end. It tells damage
(flipped bits in numbers too) before anything is parsed. It is no signature: whoever writes a hostile file can seal it.
"""

from firekeras.hdf5.buffer import DamagedError as DamagedError
from firekeras.hdf5.files import check_sealed as check_sealed
from firekeras.hdf5.files import read as read
from firekeras.hdf5.files import refused as refused
from firekeras.hdf5.files import sealed as sealed
from firekeras.hdf5.files import texts as texts
from firekeras.hdf5.files import write as write
from firekeras.hdf5.node import Node as Node
