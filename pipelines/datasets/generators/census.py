"""Synthetic census people in the official format, whose incomes follow a known logistic model.

Because the probability behind every label is known, so is the best score anyone can expect; a pipeline that
reports more has leaked, one that reports much less is broken.
"""

import numpy as np
from numpy.typing import NDArray

from emberline.features import storage
from emberline.pipelines.datasets.synthetic import Synthetic, binary_scores, write_facts, write_lines

ROWS = {"adult.data": 32_561, "adult.test": 16_281}
DAMAGED_ROWS = 12
"""Lines of the training file cut short on purpose, so that a demonstration shows rejected rows."""

EDUCATION = {
    "Preschool": 1, "1st-4th": 2, "5th-6th": 3, "7th-8th": 4, "9th": 5, "10th": 6, "11th": 7, "12th": 8,
    "HS-grad": 9, "Some-college": 10, "Assoc-voc": 11, "Assoc-acdm": 12, "Bachelors": 13, "Masters": 14,
    "Prof-school": 15, "Doctorate": 16,
}  # fmt: skip
EDUCATION_SHARES = [2, 5, 10, 20, 16, 29, 36, 13, 322, 224, 42, 33, 165, 53, 18, 13]
WORKCLASS = {
    "Private": 0.0, "Self-emp-not-inc": -0.4, "Self-emp-inc": 0.4, "Federal-gov": 0.5, "Local-gov": 0.0,
    "State-gov": -0.1, "Without-pay": -1.5, "Never-worked": -2.0, "?": -0.8,
}  # fmt: skip
WORKCLASS_SHARES = [697, 78, 34, 29, 64, 40, 1, 1, 56]
OCCUPATION = {
    "Tech-support": 0.5, "Craft-repair": 0.0, "Other-service": -0.9, "Sales": 0.3, "Exec-managerial": 0.9,
    "Prof-specialty": 0.6, "Handlers-cleaners": -0.7, "Machine-op-inspct": -0.3, "Adm-clerical": -0.1,
    "Farming-fishing": -1.0, "Transport-moving": -0.1, "Priv-house-serv": -1.8, "Protective-serv": 0.5,
    "Armed-Forces": 0.2, "?": -0.8,
}  # fmt: skip
OCCUPATION_SHARES = [28, 126, 101, 112, 125, 127, 42, 61, 116, 31, 49, 5, 20, 1, 56]
MARITAL = {
    "Married-civ-spouse": 1.6,
    "Divorced": -0.5,
    "Never-married": -0.9,
    "Separated": -0.6,
    "Widowed": -0.4,
    "Married-spouse-absent": -0.5,
    "Married-AF-spouse": 1.6,
}
MARITAL_SHARES = [460, 136, 328, 31, 30, 13, 2]
RACE = {"White": 0.1, "Black": -0.1, "Asian-Pac-Islander": 0.0, "Amer-Indian-Eskimo": -0.3, "Other": -0.2}
RACE_SHARES = [854, 96, 32, 10, 8]
COUNTRY = {"United-States": 0.0, "Mexico": -0.3, "Philippines": 0.1, "Germany": 0.1, "Canada": 0.1, "India": 0.2,
           "?": 0.0}  # fmt: skip
COUNTRY_SHARES = [916, 20, 8, 6, 6, 6, 38]


def generate(directory: str, *, seed: int) -> Synthetic:
    """Writes `adult.data`, `adult.test` and `synthetic.json`.

    Args:
        directory: Folder or URI; made if absent.
        seed: The same seed gives the same bytes.

    Returns:
        The best achievable scores on the generated test file.
    """
    generator = np.random.default_rng(seed)
    storage.make_dirs(directory)
    for name, rows in ROWS.items():
        lines, probability, label = _people(generator, rows, suffix="." if name.endswith("test") else "")
        if name == "adult.data":
            for index in generator.choice(rows, DAMAGED_ROWS, replace=False):
                lines[index] = lines[index].rsplit(",", 4)[0]
        else:
            lines.insert(0, "|1x3 Cross validator")
        write_lines(directory, name, lines)
    return write_facts(directory, Synthetic(binary_scores(label, probability), seed))


def _people(
    generator: np.random.Generator, rows: int, suffix: str
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    def draw(
        weights: dict[str, float] | dict[str, int], shares: list[int]
    ) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
        index = generator.choice(len(weights), rows, p=np.array(shares) / sum(shares))
        return np.array(list(weights))[index], np.array(list(weights.values()), float)[index]

    age = np.clip(generator.gamma(7.0, 5.5, rows), 17, 90).astype(int)
    education, years = draw(EDUCATION, EDUCATION_SHARES)
    workclass, by_workclass = draw(WORKCLASS, WORKCLASS_SHARES)
    occupation, by_occupation = draw(OCCUPATION, OCCUPATION_SHARES)
    marital, by_marital = draw(MARITAL, MARITAL_SHARES)
    race, by_race = draw(RACE, RACE_SHARES)
    country, by_country = draw(COUNTRY, COUNTRY_SHARES)
    gender = np.where(generator.random(rows) < 0.67, "Male", "Female")
    married = np.char.startswith(marital, "Married-civ")
    single_roles = np.array(["Not-in-family", "Own-child", "Unmarried", "Other-relative"])
    single = single_roles[generator.choice(4, rows, p=[0.47, 0.28, 0.19, 0.06])]
    relationship = np.where(married, np.where(gender == "Male", "Husband", "Wife"), single)
    gain = np.where(generator.random(rows) < 0.08, generator.lognormal(8.3, 1.0, rows), 0).astype(int).clip(0, 99_999)
    loss = np.where(generator.random(rows) < 0.05, generator.normal(1_870, 350, rows), 0).astype(int).clip(0)
    hours = np.clip(generator.normal(40, 12, rows), 1, 99).astype(int)
    weight = generator.lognormal(12.0, 0.5, rows).astype(int)
    logit = (
        -1.8
        + 0.36 * (years - 10)
        + 0.045 * (np.minimum(age, 60) - 38)
        - 0.0015 * (age - 48.0) ** 2
        + 0.035 * (hours - 40)
        + 0.45 * np.log1p(gain / 2_000)
        + 0.5 * (loss > 1_800)
        + by_workclass
        + by_occupation
        + by_marital
        + by_race
        + by_country
        + 0.3 * (gender == "Male")
    )
    probability = 1 / (1 + np.exp(-1.6 * logit))
    label = (generator.random(rows) < probability).astype(float)
    bracket = np.where(label > 0, ">50K", "<=50K")
    columns = [age, workclass, weight, education, years.astype(int), marital, occupation, relationship, race, gender,
               gain, loss, hours, country, bracket]  # fmt: skip
    lines = [", ".join(map(str, person)) + suffix for person in zip(*columns, strict=True)]
    return lines, probability, label
