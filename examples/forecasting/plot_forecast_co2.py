"""
Forecasting carbon dioxide with intervals
=========================================

Carbon dioxide in the air at Mauna Loa, by week, has a trend and a yearly season. Which of four
forecasters is the most accurate two years ahead, and how wide must an interval be that holds 90 %
of the values to come?
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
# The seasonal naive forecast is the baseline: the value of the same week of the last year. The
# theta method smooths the seasonally adjusted series, and adds a part of its trend. A ridge
# regression on the changes of the last 60 weeks learns trend and season from the data. The blend is
# the mean of theta and ridge.

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
# The width of the intervals comes from errors of forecasts for steps that the model was not trained
# on: here the last four years of the training part.

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

# %%
# In the back-test the ridge regression is the most accurate, with about a quarter of the error of
# the seasonal naive forecast, which misses the trend. The blend is nearly as good. Three origins of
# one series are few, so a small difference between two forecasters says little.
