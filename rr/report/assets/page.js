// Draws the charts of a page: each <figure> holds a canvas and the chart as JSON (internal/chart_json.h).
// Charts are drawn when they come into view, and again when the browser turns light or dark or prints.
"use strict";
(() => {
  const kSeriesColours = 8;
  const kDashes = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
  const kMarks = ["circle", "triangle", "rect", "rectRot", "crossRot", "star"];

  const styles = getComputedStyle(document.documentElement);
  const colour = (name) => styles.getPropertyValue("--" + name).trim();
  const seriesColour = (i) => colour("series-" + (i % kSeriesColours));
  const faded = (hex, share) => hex + Math.round(share * 255).toString(16).padStart(2, "0");
  const shown = (n) => n === null || n === undefined ? "–" : Number(Number(n).toPrecision(4)).toString();

  // Whiskers over bars: from low to high, with ends.
  const whiskers = {
    id: "whiskers",
    afterDatasetsDraw(chart) {
      const ctx = chart.ctx;
      ctx.save();
      ctx.strokeStyle = colour("text");
      ctx.lineWidth = 1.5;
      chart.data.datasets.forEach((set, i) => {
        if (!set.low || !chart.isDatasetVisible(i)) return;
        const lies = chart.options.indexAxis === "y";
        const scale = chart.scales[lies ? "x" : "y"];
        chart.getDatasetMeta(i).data.forEach((bar, j) => {
          if (set.low[j] === null || set.high[j] === null) return;
          const middle = lies ? bar.y : bar.x;
          const from = scale.getPixelForValue(set.low[j]);
          const to = scale.getPixelForValue(set.high[j]);
          const stroke = (a, m, b, n) => lies ? (ctx.moveTo(a, m), ctx.lineTo(b, n)) : (ctx.moveTo(m, a), ctx.lineTo(n, b));
          ctx.beginPath();
          stroke(from, middle, to, middle);
          stroke(from, middle - 5, from, middle + 5);
          stroke(to, middle - 5, to, middle + 5);
          ctx.stroke();
        });
      });
      ctx.restore();
    },
  };

  // The line x = y.
  const diagonal = {
    id: "diagonal",
    beforeDatasetsDraw(chart) {
      if (!chart.options.diagonal) return;
      const { x, y } = chart.scales;
      const low = Math.max(x.min, y.min), high = Math.min(x.max, y.max);
      const ctx = chart.ctx;
      ctx.save();
      ctx.strokeStyle = colour("faint");
      ctx.setLineDash([5, 5]);
      ctx.beginPath();
      ctx.moveTo(x.getPixelForValue(low), y.getPixelForValue(low));
      ctx.lineTo(x.getPixelForValue(high), y.getPixelForValue(high));
      ctx.stroke();
      ctx.restore();
    },
  };

  const points = (series) => series.x.map((x, i) => ({ x, y: series.y[i], label: series.label && series.label[i] }));

  const dataset = {
    lines: (series, i) => {
      const many = series.x.length > 60;
      return {
        data: points(series), borderColor: seriesColour(i), backgroundColor: seriesColour(i), borderWidth: 2,
        borderDash: kDashes[Math.floor(i / 2) % kDashes.length], pointStyle: kMarks[i % kMarks.length],
        clip: many ? undefined : false, pointRadius: many ? 0 : 3.5, pointHitRadius: 8, pointHoverRadius: 5, spanGaps: false,
      };
    },
    bars: (series, i, spec) => ({
      data: series.y, low: series.low, high: series.high,
      backgroundColor: spec.bySign ? series.y.map((y) => colour(y < 0 ? "series-1" : "series-0")) : faded(seriesColour(i), .85),
      categoryPercentage: spec.joined ? 1 : .85, barPercentage: spec.joined ? .96 : .9, maxBarThickness: spec.joined ? undefined : 48,
      minBarLength: 0,
    }),
    scatter: (series, i) => ({
      data: points(series), borderColor: seriesColour(i), backgroundColor: faded(seriesColour(i), .45),
      clip: false, pointStyle: kMarks[i % kMarks.length], pointRadius: series.x.length > 400 ? 3 : 5, pointHitRadius: 6, borderWidth: 1.2,
    }),
  };

  function tick(value) {
    const text = this.type === "category" ? this.getLabelForValue(value) : shown(value);
    return text.length > 22 ? text.slice(0, 12) + "…" + text.slice(-9) : text;
  }

  // A scale for an axis of the chart; `isCategory`: of names instead of numbers.
  function scaleOf(axis, isCategory) {
    const scale = {
      type: isCategory ? "category" : axis.log ? "logarithmic" : "linear",
      title: { display: true, text: axis.title, color: colour("text"), font: { size: 13, weight: "600" } },
      ticks: { color: colour("faint"), font: { size: 12 }, maxRotation: 60, autoSkipPadding: 8, callback: tick },
      grid: { color: colour("line"), borderColor: colour("faint"), display: !isCategory },
    };
    if (axis.min !== undefined) scale.min = axis.min;
    if (axis.max !== undefined) scale.max = axis.max;
    return scale;
  }

  function tooltipLine(item, spec, series) {
    const [x, y] = spec.horizontal ? [item.parsed.y, item.parsed.x] : [item.parsed.x, item.parsed.y];
    if (spec.kind === "scatter") return (item.raw.label ? item.raw.label + ": " : "") + shown(x) + ", " + shown(y);
    const name = spec.series.length > 1 || spec.kind === "lines" ? series.name + ": " : "";
    const range = series.low ? " [" + shown(series.low[item.dataIndex]) + ", " + shown(series.high[item.dataIndex]) + "]" : "";
    return name + shown(y) + range;
  }

  function configOf(spec) {
    const isBars = spec.kind === "bars";
    const x = scaleOf(spec.x, isBars), y = scaleOf(spec.y, false);
    const ends = spec.series.flatMap((series) => series.low ? [...series.low, ...series.high] : []).filter((n) => n !== null);
    if (ends.length) {
      y.suggestedMin = Math.min(...ends);
      y.suggestedMax = Math.max(...ends);
    }
    return {
      type: { lines: "line", bars: "bar", scatter: "scatter" }[spec.kind],
      data: {
        labels: spec.categories,
        datasets: spec.series.map((series, i) => ({ label: series.name, ...dataset[spec.kind](series, i, spec) })),
      },
      options: {
        animation: false, responsive: true, maintainAspectRatio: false, diagonal: spec.diagonal,
        indexAxis: spec.horizontal ? "y" : "x",
        // Lines need not have a point at the same places: what lies nearest counts, of every line that has one there.
        interaction: { mode: isBars ? (spec.horizontal ? "y" : "index") : "nearest", intersect: spec.kind === "scatter", axis: spec.horizontal ? "y" : spec.kind === "scatter" ? "xy" : "x" },
        scales: spec.horizontal ? { y: x, x: y } : { x, y },
        plugins: {
          legend: { display: false },
          tooltip: {
            callbacks: {
              title: (items) => spec.kind === "scatter" || !items.length ? "" : isBars ? items[0].label : spec.x.title + " " + shown(items[0].parsed.x),
              label: (item) => tooltipLine(item, spec, spec.series[item.datasetIndex]),
            },
          },
        },
      },
      plugins: [whiskers, diagonal],
    };
  }

  function swatch(spec, i) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const part = document.createElementNS("http://www.w3.org/2000/svg", spec.kind === "lines" ? "line" : "rect");
    const set = (element, values) => Object.entries(values).forEach(([name, value]) => element.setAttribute(name, value));
    set(svg, { width: 26, height: 12, "aria-hidden": "true" });
    if (spec.kind === "lines") {
      set(part, { x1: 0, y1: 6, x2: 26, y2: 6, stroke: seriesColour(i), "stroke-width": 3, "stroke-dasharray": kDashes[Math.floor(i / 2) % kDashes.length].join(" ") || "none" });
    } else {
      set(part, { x: 7, y: 0, width: 12, height: 12, fill: seriesColour(i) });
    }
    svg.append(part);
    return svg;
  }

  // Buttons that hide and show series: Chart.js's own legend cannot be reached by keyboard.
  function addLegend(figure, spec, hidden, redraw) {
    const old = figure.querySelector(".legend");
    if (old) old.remove();
    if (spec.series.length < 2) return;
    const legend = document.createElement("div");
    legend.className = "legend";
    spec.series.forEach((series, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", String(!hidden.has(i)));
      button.append(swatch(spec, i), series.name);
      button.addEventListener("click", () => {
        if (!hidden.delete(i)) hidden.add(i);
        button.setAttribute("aria-pressed", String(!hidden.has(i)));
        redraw();
      });
      legend.append(button);
    });
    figure.querySelector(".plot").before(legend);
  }

  class DrawnFigure {
    constructor(figure) {
      this.figure = figure;
      this.spec = JSON.parse(figure.querySelector("script").textContent);
      this.plot = figure.querySelector(".plot");
      this.hidden = new Set();
      if (this.spec.horizontal) {
        const bars = this.spec.categories.length * this.spec.series.length;
        this.plot.style.height = 90 + Math.max(bars * 30, this.spec.categories.length * 34) + "px";
      }
    }
    draw() {
      if (this.chart) this.chart.destroy();
      this.chart = new Chart(this.plot.querySelector("canvas"), configOf(this.spec));
      addLegend(this.figure, this.spec, this.hidden, () => this.showVisible());
      this.showVisible();
    }
    showVisible() {
      this.spec.series.forEach((_, i) => this.chart.setDatasetVisibility(i, !this.hidden.has(i)));
      this.chart.update();
    }
  }

  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  const figures = new Map([...document.querySelectorAll("figure")].map((figure) => [figure, new DrawnFigure(figure)]));
  const redraw = () => figures.forEach((drawn) => drawn.chart && drawn.draw());

  const observer = new IntersectionObserver((entries) => {
    entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
      observer.unobserve(entry.target);
      figures.get(entry.target).draw();
    });
  }, { rootMargin: "400px" });
  figures.forEach((_, figure) => observer.observe(figure));

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let unfolded = [];
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("on-paper");
    unfolded = [...document.querySelectorAll("details.group:not([open])")];
    unfolded.forEach((group) => { group.open = true; });
    figures.forEach((drawn) => drawn.draw());
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("on-paper");
    unfolded.forEach((group) => { group.open = false; });
    redraw();
  });
})();
