// Charts from the JSON beside them; colours from the style sheet's tokens, so that both themes are readable.
"use strict";
(() => {
  const tones = () => {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(`--${name}`).trim();
  };
  const units = [[1e12, "Tbit/s"], [1e9, "Gbit/s"], [1e6, "Mbit/s"], [1e3, "kbit/s"]];

  function bps(value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "—";
    const [size, unit] = units.find(([one]) => Math.abs(value) >= one) || [1, "bit/s"];
    return `${Number((value / size).toPrecision(3))} ${unit}`;
  }
  const two = (number) => String(number).padStart(2, "0");
  function local(milliseconds) { // the site's zone, whatever the reader's is
    const at = new Date(milliseconds + 8 * 3600e3);
    return { day: `${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`, time: `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}` };
  }

  const font = () => getComputedStyle(document.body).fontFamily;
  const tooltip = (tone) => ({
    trigger: "axis", renderMode: "richText", confine: true, backgroundColor: tone("raised"), borderColor: tone("line"), textStyle: { color: tone("text"), fontSize: 13 },
  });
  const axis = (tone) => ({
    axisLabel: { color: tone("chart-axis"), fontSize: 12 }, axisLine: { lineStyle: { color: tone("line") } },
    axisTick: { show: false }, splitLine: { lineStyle: { color: tone("chart-line") } },
  });

  function mark(name, value, colour) {
    return { yAxis: value, name, lineStyle: { color: colour, type: "dashed", width: 1.5 }, label: { formatter: `${name} ${bps(value)}`, color: colour, position: "insideStartTop", fontSize: 12 } };
  }

  function traffic(data, words, tone) {
    const pairs = (values) => data.at.map((at, index) => [at, values[index]]);
    const line = (name, values, colour, area) => ({
      name, type: "line", data: pairs(values), showSymbol: false, connectNulls: false, lineStyle: { width: 1.6, color: colour }, itemStyle: { color: colour },
      areaStyle: area ? { color: colour, opacity: 0.12 } : undefined, emphasis: { disabled: true },
    });
    const marks = [mark(words.contract, data.contract, tone("chart-contract"))];
    if (data.p95 !== null) marks.push(mark(words.p95, data.p95, tone("chart-p95")));
    const inbound = line(words.in, data.in, tone("chart-in"), true);
    inbound.markLine = { silent: true, symbol: "none", animation: false, data: marks };
    const most = Math.max(data.contract, ...data.in.filter(Number.isFinite), ...data.out.filter(Number.isFinite));
    return {
      legend: { top: 0, left: 0, textStyle: { color: tone("text") }, icon: "roundRect", itemHeight: 4 },
      grid: { top: 36, left: 8, right: 12, bottom: 8, containLabel: true },
      tooltip: { ...tooltip(tone), valueFormatter: bps, axisPointer: { label: { formatter: (one) => `${local(one.value).day} ${local(one.value).time}` } } },
      xAxis: { type: "time", ...axis(tone), splitLine: { show: false }, axisLabel: { color: tone("chart-axis"), hideOverlap: true, formatter: (at) => local(at).time } },
      yAxis: { type: "value", min: 0, max: most * 1.08, ...axis(tone), axisLabel: { color: tone("chart-axis"), formatter: bps, showMaxLabel: false } },
      series: [inbound, line(words.out, data.out, tone("chart-out"), false)],
    };
  }

  function days(data, words, tone) {
    return {
      grid: { top: 16, left: 8, right: 8, bottom: 4, containLabel: true },
      tooltip: { ...tooltip(tone), valueFormatter: (value) => `${value} ${data.unit}` },
      xAxis: { type: "category", data: data.days, ...axis(tone), axisLabel: { color: tone("chart-axis"), hideOverlap: true, formatter: (day) => day.slice(5) } },
      yAxis: { type: "value", ...axis(tone) },
      series: [{ type: "bar", data: data.values, barMaxWidth: 20, itemStyle: { color: tone("chart-in"), borderRadius: [2, 2, 0, 0] }, emphasis: { disabled: true } }],
    };
  }

  const kinds = { traffic, days };

  function draw(box) {
    const source = document.getElementById(box.dataset.source);
    if (!source) return;
    const tone = tones();
    const chart = echarts.getInstanceByDom(box) || echarts.init(box, null, { renderer: "canvas" });
    const option = kinds[box.dataset.chart](JSON.parse(source.textContent), box.dataset, tone);
    chart.setOption({ animation: false, textStyle: { fontFamily: font() }, aria: { enabled: false }, ...option }, { notMerge: true });
  }
  const all = () => { for (const box of document.querySelectorAll("[data-chart]")) draw(box); };

  all();
  document.addEventListener("yw-theme", all);
  document.addEventListener("yw-shown", all);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
  const resized = new ResizeObserver((entries) => { for (const entry of entries) echarts.getInstanceByDom(entry.target)?.resize(); });
  for (const box of document.querySelectorAll("[data-chart]")) resized.observe(box);
})();
