import pytest
from torch import nn

from stepalign.models.evaluation_mode import evaluation_mode


def test_each_module_is_afterwards_as_it_was():
    model = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    with pytest.raises(ZeroDivisionError), evaluation_mode(model) as evaluated:
        assert evaluated is model and not any(module.training for module in model.modules())
        raise ZeroDivisionError
    assert [module.training for module in model.modules()] == [True, True, False]
