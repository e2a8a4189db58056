"""Which collections can be fetched, under which licence, and where to ask for those that no program may fetch."""

from dataclasses import dataclass, replace

from cxr_utils.errors import DataError

_BOX = "https://nihcc.app.box.com/index.php?rm=box_download_shared_file&vanity_name=ChestXray-NIHCC&file_id=f_"
_NLM = "https://openi.nlm.nih.gov/imgs/collections/"
_JAEGER = (
    "Jaeger et al., Two public chest X-ray datasets for computer-aided screening of pulmonary diseases, "
    "Quantitative Imaging in Medicine and Surgery 4(6), 2014"
)
_WANG = "Wang et al., ChestX-ray8, IEEE CVPR 2017, pp. 3462-3471"


@dataclass(frozen=True)
class File:
    """One file as its owner serves it.

    Attributes:
        name: what it is called here; an archive `x.zip` or `x.tar.gz` becomes a folder `x`.
        url: where it is.
        size: bytes, for the question of the disk; what is held against it is the checksum.
        md5: as its owner publishes it, or nothing.
    """

    name: str
    url: str
    size: int
    md5: str = ""


@dataclass(frozen=True)
class Collection:
    """What somebody must know before fetching a collection.

    Attributes:
        name: what the command calls it.
        title: what its owner calls it.
        licence: under which terms.
        cite: what to name in a publication.
        page: where its owner describes it, and where to ask for it.
        size: bytes to fetch, all parts together, as far as known.
        files: what always belongs to it, fetched in this order.
        parts: archives that can be fetched one by one.
        kaggle: its handle, where Kaggle has it.
        by_hand: what to download, where no program may.
    """

    name: str
    title: str
    licence: str
    cite: str
    page: str
    size: int
    files: tuple[File, ...] = ()
    parts: tuple[File, ...] = ()
    kaggle: str = ""
    by_hand: str = ""

    @property
    def how(self) -> str:
        """In a few words, how it comes here."""
        if self.by_hand:
            return "by hand, on request"
        return "from Kaggle" if self.kaggle else f"in {len(self.parts)} parts" if self.parts else "from its owner"


# NIH's own list of download links, and the checksums of its FAQ_CHESTXRAY.pdf, question 7.
_NIH_ARCHIVES = (
    ("vfk49d74nhbxq3nqjg0900w5nvkorp5c", 2_008_470_987, "fe8ed0a6961412fddcbb3603c11b3698"),
    ("i28rlmbvmfjbl8p2n3ril0pptcmcu9d1", 3_952_623_504, "ab07a2d7cbe6f65ddd97b4ed7bde10bf"),
    ("f1t00wrtdk94satdfb9olcolqx20z2jp", 3_929_234_850, "2301d03bde4c246388bad3876965d574"),
    ("0aowwzs5lhjrceb3qp67ahp0rd1l1etg", 3_838_903_983, "9f1b7f5aae01b13f4bc8e2c44a4b8ef6"),
    ("v5e3goj22zr6h8tzualxfsqlqaygfbsn", 3_935_496_531, "1861f3cd0ef7734df8104f2b0309023b"),
    ("asi7ikud9jwnkrnkj99jnpfkjdes7l6l", 3_986_301_172, "456b53a8b351afd92a35bc41444c58c8"),
    ("jn1b4mw4n6lnh74ovmcjb8y48h8xj07n", 4_016_328_426, "1075121ea20a137b87f290d6a4a5965e"),
    ("tvpxmn7qyrgl0w8wfh9kqfjskv6nmm1j", 4_018_347_353, "b61f34cec3aa69f295fbb593cbd9d443"),
    ("upyy3ml7qdumlgk2rfcvlb9k6gvqq2pj", 4_111_327_929, "442a3caa61ae9b64e61c561294d1e183"),
    ("l6nilvfa9cg3s28tqv1qc1olm3gnz54p", 4_181_556_296, "09ec81c4c31e32858ad8cf965c494b74"),
    ("hhq8fkdgvcari67vfhs7ppg2w6ni4jze", 4_187_084_020, "499aefc67207a5a97692424cf5dbeed5"),
    ("ioqwiy20ihqwyr8pf4c24eazhh281pbu", 2_914_187_733, "dc9fda1757c2de0032b63347a7d2895c"),
)

_ALL = (
    Collection(
        "nih",
        "NIH ChestX-ray14",
        "free use; name the NIH Clinical Center, link its page, cite the paper",
        _WANG,
        "https://nihcc.app.box.com/v/ChestXray-NIHCC",
        45_090_864_736,
        files=(
            File("Data_Entry_2017_v2020.csv", f"{_BOX}219760887468", 9_003_496),
            File("train_val_list.txt", f"{_BOX}256056636701", 1_470_908),
            File("test_list.txt", f"{_BOX}256055473534", 435_132),
            File(  # no lasting link of NIH's own is known
                "BBox_List_2017.csv",
                "https://www.kaggle.com/api/v1/datasets/download/nih-chest-xrays/data/BBox_List_2017.csv",
                92_416,
            ),
        ),
        parts=tuple(
            File(f"images_{number:03d}.tar.gz", f"https://nihcc.box.com/shared/static/{key}.gz", size, md5)
            for number, (key, size, md5) in enumerate(_NIH_ARCHIVES, 1)
        ),
    ),
    Collection(
        "nih-sample",
        "Random sample of NIH ChestX-ray14: 5,606 images",
        "CC0 1.0",
        _WANG,
        "https://www.kaggle.com/datasets/nih-chest-xrays/sample",
        4_500_000_000,
        kaggle="nih-chest-xrays/sample",
    ),
    Collection(
        "kermany",
        "Chest X-Ray Images (Pneumonia): children of Guangzhou",
        "CC BY 4.0",
        "Kermany et al., Identifying medical diagnoses by image-based deep learning, Cell 172(5), 2018",
        "https://www.kaggle.com/datasets/paultimothymooney/chest-xray-pneumonia",
        2_460_000_000,
        kaggle="paultimothymooney/chest-xray-pneumonia",
    ),
    Collection(
        "covid-radiography",
        "COVID-19 Radiography Database: 21,165 images with masks",
        "rights stay with the authors; cite both papers",
        "Chowdhury et al., IEEE Access 8, 2020; Rahman et al., Computers in Biology and Medicine 132, 2021",
        "https://www.kaggle.com/datasets/tawsifurrahman/covid19-radiography-database",
        820_000_000,
        kaggle="tawsifurrahman/covid19-radiography-database",
    ),
    Collection(
        "montgomery",
        "Montgomery County X-ray Set: 138 images with lung masks",
        "open for research and teaching; name the National Library of Medicine, cite the paper",
        _JAEGER,
        "https://lhncbc.nlm.nih.gov/LHC-downloads/downloads.html#tuberculosis-image-data-sets",
        617_000_000,
        files=(File("NLM-MontgomeryCXRSet.zip", f"{_NLM}NLM-MontgomeryCXRSet.zip", 617_000_000),),
    ),
    Collection(
        "shenzhen",
        "Shenzhen Hospital X-ray Set: 662 images",
        "open for research and teaching; name the National Library of Medicine, cite the paper",
        _JAEGER,
        "https://lhncbc.nlm.nih.gov/LHC-downloads/downloads.html#tuberculosis-image-data-sets",
        3_770_000_000,
        files=(File("ChinaSet_AllFiles.zip", f"{_NLM}ChinaSet_AllFiles.zip", 3_770_000_000),),
    ),
    Collection(
        "chexpert",
        "CheXpert",
        "Stanford University's research use agreement, not for commerce",
        "Irvin et al., CheXpert, AAAI 2019",
        "https://aimi.stanford.edu/datasets/chexpert-chest-x-rays",
        11_000_000_000,
        by_hand="CheXpert-v1.0-small: train.csv, valid.csv and the folders train, valid",
    ),
    Collection(
        "mimic-cxr-jpg",
        "MIMIC-CXR-JPG",
        "PhysioNet credentialed health data licence: a course on human research, and an agreement",
        "Johnson et al., MIMIC-CXR-JPG, arXiv:1901.07042, 2019",
        "https://physionet.org/content/mimic-cxr-jpg/",
        570_000_000_000,
        by_hand="the folder files, and mimic-cxr-2.0.0-chexpert.csv.gz, -split.csv.gz and -metadata.csv.gz beside it",
    ),
    Collection(
        "padchest",
        "PadChest",
        "BIMCV's research use agreement, not for commerce",
        "Bustos et al., PadChest, Medical Image Analysis 66, 2020",
        "https://bimcv.cipf.es/bimcv-projects/padchest/",
        1_000_000_000_000,
        by_hand="PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz, and the archives of images unpacked beside",
    ),
    Collection(
        "vindr",
        "VinDr-CXR",
        "PhysioNet credentialed health data licence, or the rules of Kaggle's competition",
        "Nguyen et al., VinDr-CXR, Scientific Data 9, 2022",
        "https://physionet.org/content/vindr-cxr/",
        200_000_000_000,
        by_hand="the folders train, test and annotations (Kaggle: train.csv and the folder train)",
    ),
    Collection(
        "rsna",
        "RSNA Pneumonia Detection Challenge",
        "the rules of Kaggle's competition, accepted with an account",
        "Shih et al., Radiology: Artificial Intelligence 1(1), 2019",
        "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge",
        4_000_000_000,
        by_hand="the whole archive: stage_2_train_labels.csv and the folder stage_2_train_images",
    ),
)

#: Every collection by its name.
COLLECTIONS = {collection.name: collection for collection in _ALL}


def collection(name: str, parts: tuple[int, ...] = ()) -> Collection:
    """A collection, or some of its archives.

    Args:
        name: one of `COLLECTIONS`.
        parts: numbers of archives, from 1; none for all.

    Returns:
        It, with the chosen archives only and the bytes of those.

    Raises:
        DataError: there is no such collection, or no such part.

    Example:
        >>> [file.name for file in collection("nih", (1, 12)).parts]
        ['images_001.tar.gz', 'images_012.tar.gz']
    """
    found = COLLECTIONS.get(name)
    if found is None:
        raise DataError(f"{name!r} is no known collection. Expected one of {', '.join(COLLECTIONS)}. Correct the name.")
    if not parts:
        return found
    wrong = sorted(set(parts) - set(range(1, len(found.parts) + 1)))
    if wrong:
        there = f"1 to {len(found.parts)}" if found.parts else f"none, as {name} has no parts"
        raise DataError(f"--part {wrong[0]} was asked of {name}. Expected {there}. Correct --part, or leave it out.")
    chosen = tuple(found.parts[number - 1] for number in sorted(set(parts)))
    return replace(found, parts=chosen, size=sum(file.size for file in (*found.files, *chosen)))
