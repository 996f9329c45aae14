"""The table of stand-in venues."""

import dataclasses

import pytest

from balance_simulator.stand_ins import COMMON, STAND_INS


@pytest.mark.parametrize("name", STAND_INS)
def test_row_fits_its_venue(name):
    """Every option is a setting, and the venue made from the defaults has the name."""
    row = STAND_INS[name]
    fields = {field.name for field in dataclasses.fields(row.settings)}
    assert set(COMMON) <= set(row.options) <= fields
    venue = row.venue(row.settings())
    assert name == venue.name
    assert venue.api_keys()[0] == venue.state.settings.api_key
