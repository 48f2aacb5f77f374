"""Where data sets are published: addresses, sizes, checksums and licences, as a table.

Sizes and checksums are those of torchvision (CIFAR, MNIST, Fashion-MNIST, EuroSAT), TensorFlow
Datasets (MNIST, Fashion-MNIST), Zenodo (EuroSAT, CIFAR-10-C) and CaltechDATA (CUB); of what is in a
Git repository, those of the commit that its address names. What nobody publishes is not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

MIB, GIB = 2**20, 2**30
DEIC = "https://raw.githubusercontent.com/cvjena/deic/f9b61daccbcad38bc5f5dc5f17ecd2fca0e2459e"
ZENODO = "https://zenodo.org/records"
CIFAR_10_2 = (
    "https://raw.githubusercontent.com/modestyachts/cifar-10.2/"
    "521467a52ad494b78ff9c70051099c0d9ba74d40"
)


@dataclass(frozen=True)
class Remote:
    """A file on a server.

    Attributes:
        url: its address.
        checksum: `md5:...`, `sha256:...`, or `git:...`, the name of a blob.
        size: bytes, where they are published.
        target: what becomes of it: a file or folder below the folder of all data sets.
        inner: of an archive, the folder in it that becomes `target`; None for a plain file.
        most: bytes that an archive may unpack to, or a file have whose size nobody says.
    """

    url: str
    checksum: str
    size: int | None
    target: str
    inner: str | None = None
    most: int = 256 * MIB

    @property
    def name(self) -> str:
        """The last part of its address."""
        return urlsplit(self.url).path.rpartition("/")[2]

    @property
    def limit(self) -> int:
        """Bytes that are taken from a server at most."""
        return self.most if self.size is None else self.size


@dataclass(frozen=True)
class Source:
    """A published data set.

    Attributes:
        shape: channels, and side in pixels, None where images differ.
        images: training images, and test images, in the split that is used here.
        files: what is downloaded, in this order; the last ones make the set complete.
        licence: what its publisher states; empty if that is not known.
        about: what it is, for sets that are no choice of a spec.
        manual: whether something is left to be got by hand.
    """

    classes: int
    shape: tuple[int, int | None]
    images: tuple[int, int]
    files: tuple[Remote, ...] = ()
    licence: str = ""
    about: str = ""
    manual: bool = False

    @property
    def size(self) -> int:
        """Bytes to download, as far as they are published."""
        return sum(file.size or 0 for file in self.files)


def _lists(name: str, target: str, sums: dict[str, tuple[int, str]]) -> tuple[Remote, ...]:
    """Split lists of Brigato et al. 2022: size and SHA-256 of each."""
    return tuple(
        Remote(
            f"{DEIC}/datasets/{name}/{split}.txt", f"sha256:{sha}", size, f"{target}/{split}.txt"
        )
        for split, (size, sha) in sums.items()
    )


def _idx(address: str, target: str, sums: dict[str, tuple[int, str]]) -> tuple[Remote, ...]:
    """The four files of MNIST and its like: size and MD5 of each."""
    return tuple(
        Remote(f"{address}/{stem}-ubyte.gz", f"md5:{md5}", size, f"{target}/{stem}-ubyte.gz")
        for stem, (size, md5) in sums.items()
    )


EUROSAT_LISTS = {
    "train": (8327, "58bc1f1f04866db69c6f1f0d2eb0d2292da778d06b2fb19823b332a0e2eaea35"),
    "val": (5556, "f1c4ffeef7f294d61ab27fb62d4b8c279222cb987fbf5bb054c019e2e64a5562"),
    "trainval": (13_883, "7995a508c77c1a5bbac88cf51347020c0015afa96885fcd9545339b54a372f2e"),
    "test": (541_765, "431b4c04d3950db032e5db5780bf20b7920ca623aed553197dda9b06430c259e"),
}
SOURCES = {
    "cifar10": Source(
        10,
        (3, 32),
        (50_000, 10_000),
        (
            Remote(
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                "md5:c58f30108f718f92721af3b95e74349a",
                170_498_071,
                "cifar-10-batches-py",
                "cifar-10-batches-py",
            ),
        ),
    ),
    "cifar100": Source(
        100,
        (3, 32),
        (50_000, 10_000),
        (
            Remote(
                "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
                "md5:eb9058c3a382ffc7106e4002c42a8d85",
                169_001_437,
                "cifar-100-python",
                "cifar-100-python",
            ),
        ),
    ),
    "mnist": Source(
        10,
        (1, 28),
        (60_000, 10_000),
        _idx(
            "https://ossci-datasets.s3.amazonaws.com/mnist",
            "mnist",
            {
                "train-images-idx3": (9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
                "train-labels-idx1": (28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
                "t10k-images-idx3": (1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
                "t10k-labels-idx1": (4542, "ec29112dd5afa0611ce80d1b7f02629c"),
            },
        ),
        "CC BY-SA 3.0",
    ),
    "fashion_mnist": Source(
        10,
        (1, 28),
        (60_000, 10_000),
        _idx(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            "fashion_mnist",
            {
                "train-images-idx3": (26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
                "train-labels-idx1": (29_515, "25c81989df183df01b3e8a0aad5dffbe"),
                "t10k-images-idx3": (4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
                "t10k-labels-idx1": (5148, "bb300cfdad3c16e7a12a480ee83cd310"),
            },
        ),
        "MIT",
    ),
    "eurosat": Source(
        10,
        (3, 64),
        (500, 19_500),
        (
            Remote(
                f"{ZENODO}/7711810/files/EuroSAT_RGB.zip",
                "md5:f46e308c4d50d4bf32fedad2d3d62f3b",
                94_658_721,
                "eurosat/imgs",
                "EuroSAT_RGB",
            ),
            *_lists("eurosat", "eurosat", EUROSAT_LISTS),
        ),
        "MIT",
    ),
    "eurosat_allband": Source(
        10,
        (13, 64),
        (500, 19_500),
        (
            Remote(
                f"{ZENODO}/7711810/files/EuroSAT_MS.zip",
                "md5:091174add3c8e680a49244acf185b9f0",
                2_065_402_329,
                "eurosat_allband/imgs",
                "EuroSAT_MS",
                4 * GIB,
            ),
            *_lists("eurosat", "eurosat_allband", EUROSAT_LISTS),
        ),
        "MIT",
    ),
    "isic2018": Source(
        7,
        (3, None),
        (560, 1944),
        _lists(
            "isic2018",
            "isic2018",
            {
                "train": (5250, "56211d2b42395adc222c72ac0181c035f2b07ce30bc1ef0c90ad40c34282034b"),
                "val": (3150, "b632d95f1bfb06a81fa0b537cc4597fe124f597e4e54ee488064906307ca7112"),
                "trainval": (
                    8400,
                    "6c7f335474fbe257c5a41789fc4147a5ab6fe4375d5312ad3cd031e5d78e6dc5",
                ),
                "test": (
                    29_160,
                    "1e8eadb0a137a5b3fcf9f113cd9b01731653ebb43da2aac7b1a5ef8de9f55088",
                ),
            },
        ),
        "CC BY-NC 4.0",
        manual=True,
    ),
    "clamm": Source(
        12,
        (1, None),
        (600, 1000),
        _lists(
            "clamm",
            "clamm",
            {
                "train": (6160, "40732c3c9fddfda51ea0acc02c7beb186d8575f8382fbfa4e1b345f73978988a"),
                "val": (4099, "daf52c5cf2f533df40116cdd8db93604fd9dbd4a1159e5d4f9a4797e0fee970b"),
                "trainval": (
                    10_259,
                    "0f5edde48499bbc05542628887aa6d5b9c166686dd78ee9c5d1084ff451704fd",
                ),
                "test": (
                    18_083,
                    "7b14ad857f0e8c7689dbd5d87100e67b818e03af4b51cd1c4d93d61d2bdcc5fa",
                ),
            },
        ),
        manual=True,
    ),
    "cub": Source(
        200,
        (3, None),
        (5994, 5794),
        (
            Remote(
                "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
                "md5:97eceeb196236b17998738112f37df78",
                1_150_585_339,
                "CUB_200_2011",
                "CUB_200_2011",
                2 * GIB,
            ),
        ),
    ),
    "tiny_imagenet": Source(
        200,
        (3, 64),
        (100_000, 10_000),
        (
            Remote(
                "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
                "md5:90528d7ca1a48142e341f4ef8d21d0de",
                248_100_043,
                "tiny-imagenet-200",
                "tiny-imagenet-200",
                GIB,
            ),
        ),
    ),
    "imagenet": Source(1000, (3, None), (1_281_167, 50_000), manual=True),
    "cifar10_2": Source(
        10,
        (3, 32),
        (0, 12_000),
        (
            Remote(
                f"{CIFAR_10_2}/cifar102_train.npz",
                "git:817ff5f62c570547b0bc84fbab178842eb999503",
                None,
                "cifar-10.2/cifar102_train.npz",
            ),
            Remote(
                f"{CIFAR_10_2}/cifar102_test.npz",
                "git:7a3829681be56af70ea80ec99cf3822e2f5edff3",
                None,
                "cifar-10.2/cifar102_test.npz",
            ),
        ),
        about="CIFAR-10.2, other images of CIFAR-10's classes, to evaluate on (Lu et al. 2020).",
    ),
    "cifar10_c": Source(
        10,
        (3, 32),
        (0, 10_000),
        (
            Remote(
                f"{ZENODO}/2535967/files/CIFAR-10-C.tar",
                "md5:56bf5dcef84df0e2308c6dcbcbbd8499",
                2_918_471_680,
                "CIFAR-10-C",
                "CIFAR-10-C",
                4 * GIB,
            ),
        ),
        about="CIFAR-10-C, its test images corrupted in 19 ways, to evaluate on (Hendrycks &"
        " Dietterich 2019).",
    ),
}
