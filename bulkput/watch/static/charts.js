"use strict";
// Charts of a run over time, drawn by uPlot. Colours are those of the style sheet, also after it turned dark.

const Charts = (() => {
  const FIELDS = ["seconds", "uploaded", "done", "moved", "retries", "failed", "in_flight"];
  const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
  const LEAST = 2; // points; a shorter run has nothing that changes over time
  const MINUTE = 60, HOUR = 3600, DAY = 86400;
  // Between two marks of the time: whole seconds, since the labels have no fractions.
  const STEPS = [1, 2, 5, 10, 15, 20, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
    HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 5 * DAY, 10 * DAY, 30 * DAY];
  const spans = Object.fromEntries(FIELDS.map(field => [field, []]));
  const made = [];
  let beganAt = 0;

  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /** Takes the part of the history that is new: spans from number `from` on replace those that are here. */
  function take(history, began) {
    beganAt = began;
    FIELDS.forEach((field, index) => {
      spans[field].length = history.from;
      for (const value of history.columns[index]) spans[field].push(value);
    });
  }

  const isShort = () => spans.seconds.length < LEAST;

  /** When each span ended, behind the beginning of the first. */
  function times() {
    let at = beganAt;
    return [at, ...spans.seconds.map(seconds => at += seconds)];
  }

  const perSecond = field => spans[field].map((value, at) => Math.max(0, value / spans.seconds[at]));

  /** The values in the largest unit in which the highest is at least 1. */
  function sized(values) {
    const highest = Math.max(0, ...values);
    let power = 0;
    while (power < UNITS.length - 1 && highest >= 1024 ** (power + 1)) power += 1;
    return {unit: UNITS[power], values: values.map(value => value / 1024 ** power)};
  }

  const short = value => value == null ? ""
    : value >= 1e6 ? `${+(value / 1e6).toFixed(2)} M`
    : value >= 1e4 ? `${+(value / 1e3).toFixed(1)} k`
    : `${+value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)}`;

  /** Clock times on one line: seconds if the run is short, dates if it takes days. */
  function clock(seconds, spanned) {
    const at = new Date(seconds * 1000);
    if (spanned > 2 * DAY) return at.toLocaleDateString([], {day: "numeric", month: "short"});
    const shown = {hour: "2-digit", minute: "2-digit", ...(spanned < 600 ? {second: "2-digit"} : {})};
    return at.toLocaleTimeString([], {...shown, hourCycle: "h23"});
  }

  /** `read` gives the values of each line; `unit` what stands behind a value of the caption. */
  function make(id, caption, colours, read, unit) {
    const place = document.getElementById(id);
    const label = document.getElementById(caption);
    const lines = colours.map(name => ({
      stroke: () => colour(name), fill: () => colours.length > 1 ? null : colour("--wash"), width: 2,
      points: {show: false},
    }));
    const axis = {stroke: () => colour("--pale"), font: "12px system-ui, sans-serif", ticks: {show: false}};
    const plot = new uPlot({
      width: place.clientWidth || 300, height: place.clientHeight || 150,
      padding: [8, 30, 0, 0], legend: {show: false},
      cursor: {sync: {key: "run"}, points: {size: 7}, drag: {x: false, y: false}, y: false},
      scales: {y: {range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1]}},
      series: [{}, ...lines],
      axes: [
        {...axis, grid: {show: false}, space: 84, size: 26, incrs: STEPS,
         values: (plot, ticks) => ticks.map(at => clock(at, plot.scales.x.max - plot.scales.x.min))},
        {...axis, size: 46, space: 34, grid: {stroke: () => colour("--line"), width: 1},
         values: (_, ticks) => ticks.map(short)},
      ],
      hooks: {setCursor: [plot => say(plot)]},
    }, [[], ...colours.map(() => [])], place);
    const say = plot => {
      const at = plot.cursor.idx, isOver = at != null && plot.cursor.left >= 0;
      if (!isOver) { label.textContent = ""; return; }
      const when = clock(plot.data[0][at], 0);
      label.textContent = `${plot.data.slice(1).map(line => short(line[at])).join(" · ")} ${unit()} at ${when}`;
    };
    new ResizeObserver(() => {
      if (place.clientWidth) plot.setSize({width: place.clientWidth, height: place.clientHeight});
    }).observe(place);
    made.push({plot, read, place});
  }

  let bytesUnit = "B";
  function begin() {
    make("chart_objects", "at_objects", ["--main"], () => [perSecond("uploaded")], () => "/s");
    make("chart_bytes", "at_bytes", ["--main"], () => {
      const found = sized(perSecond("moved"));
      bytesUnit = found.unit;
      const title = found.values.some(value => value > 0) ? bytesUnit : "Data";
      document.getElementById("bytes_title").textContent = `${title} per second`;
      return [found.values];
    }, () => `${bytesUnit}/s`);
    make("chart_trouble", "at_trouble", ["--warn", "--bad"], () => [perSecond("retries"), perSecond("failed")],
      () => "/s");
    make("chart_flight", "at_flight", ["--main"], () => [spans.in_flight], () => "");
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      for (const each of made) each.plot.redraw(false);
    });
  }

  function draw() {
    const x = times();
    for (const {plot, read, place} of made) {
      if (place.clientWidth) plot.setData([x, ...read().map(values => [values[0], ...values])]);
    }
  }

  return {begin, take, draw, isShort, UNITS};
})();
