"""Agreement coefficients by name; names are promises, since reports hold them."""

from collections.abc import Mapping

from workbench.agreement.coefficient import Coefficient
from workbench.agreement.fleiss import FLEISS_KAPPA
from workbench.agreement.krippendorff import ALPHA
from workbench.agreement.percent import PERCENT

COEFFICIENTS: Mapping[str, Coefficient] = {
    "alpha": ALPHA,
    "percent": PERCENT,
    "fleiss_kappa": FLEISS_KAPPA,
}
