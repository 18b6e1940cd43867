"""
Forecasting carbon dioxide with intervals
=========================================

Weeks of carbon dioxide in the air at Mauna Loa: a trend, and a season of the growth of plants. Four
forecasters go on for two years, a back-test says how far off each was before, and intervals say
how far off it may be again.
"""

# %%
# The series is a DataFrame of weeks. The season of 52 weeks comes from the frequency of its index,
# and forecasts go on with the dates.

import matplotlib.pyplot as plt
from sklearn.linear_model import RidgeCV

from sklseq.datasets import load_co2
from sklseq.forecasting import (
    BlendForecaster,
    SeasonalNaive,
    ThetaForecaster,
    WindowRegressor,
    backtest,
)
from sklseq.metrics import interval_coverage

co2 = load_co2(as_frame=True).data["1985":]
horizon = 104
train, test = co2[:-horizon], co2[-horizon:]

# %%
# The seasonal naive forecast is the one to beat: the value of the same week of the last year. The
# theta method smooths the seasonally adjusted series, and adds a part of its trend. A ridge on the
# changes of the last 60 weeks learns trend and season by itself. A blend takes the mean of both.

ridge = WindowRegressor(RidgeCV(), n_lags=60, differences=1)
forecasters = {
    "seasonal naive": SeasonalNaive(),
    "theta": ThetaForecaster(),
    "ridge": ridge,
    "blend": BlendForecaster([("theta", ThetaForecaster()), ("ridge", ridge)], "mean"),
}

# %%
# A back-test repeats the forecast of two years from three origins within the training part, a year
# apart, each time with a new fit on what was known then. The scores are mean absolute errors,
# relative to those of the naive forecast a year ahead.

for name, model in forecasters.items():
    result = backtest(model, train, horizon, n_origins=3, step=52)
    print(f"{name}: mean absolute scaled error {-result.test_score.mean():.2f}")

# %%
# Intervals need forecasts to learn from that were made before steps the model was not trained on:
# the last four years of the training part.

blend = forecasters["blend"].set_params(calibration_steps=208).fit(train)
forecast = blend.forecast(horizon)
lower, upper = blend.forecast_interval(horizon, coverage=0.9)
covered = interval_coverage(test, lower, upper)
print(f"{covered:.0%} of the test part lies in the intervals of 90 %")

# %%

figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
axes.plot(co2["1996":].index, co2["1996":], color="black", linewidth=1, label="measured")
axes.fill_between(
    forecast.index, lower["co2"], upper["co2"], alpha=0.25, label="blend, interval of 90 %"
)
axes.plot(forecast.index, forecast, label="blend")
naive = forecasters["seasonal naive"].fit(train).forecast(horizon)
axes.plot(naive.index, naive, linestyle="--", linewidth=1, label="seasonal naive")
axes.set(ylabel="carbon dioxide in parts per million")
axes.legend(loc="upper left")
plt.show()
