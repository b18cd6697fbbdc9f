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
  // Instants are moved to the site's zone and drawn as UTC, so that ticks stand on its hours whatever the reader's zone.
  const shifted = (milliseconds) => milliseconds + 8 * 3600e3;
  function local(moved) {
    const at = new Date(moved);
    return { day: `${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`, time: `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}` };
  }
  const tick = (moved) => { const { day, time } = local(moved); return time === "00:00" ? day : time; };

  const font = () => getComputedStyle(document.body).fontFamily;
  const tooltip = (tone) => ({
    trigger: "axis", renderMode: "richText", confine: true, backgroundColor: tone("raised"), borderColor: tone("line"), textStyle: { color: tone("text"), fontSize: 13 },
  });
  const axis = (tone) => ({
    axisLabel: { color: tone("chart-axis"), fontSize: 12 }, axisLine: { lineStyle: { color: tone("line") } },
    axisTick: { show: false }, splitLine: { lineStyle: { color: tone("chart-line") } },
  });

  function traffic(data, words, tone, width) {
    const at = data.at.map(shifted);
    const line = (name, values, colour, style) => ({
      name, type: "line", data: at.map((one, index) => [one, values[index]]), showSymbol: false, connectNulls: false, itemStyle: { color: colour }, emphasis: { disabled: true }, ...style,
      lineStyle: { width: 1.6, color: colour, ...style.lineStyle },
    });
    const level = (name, value, colour) => line(name, at.map(() => value), colour, { lineStyle: { type: [6, 4], width: 1.5 } });
    const shades = { down: tone("chart-contract"), missing: tone("chart-axis") };
    const wide = (data.at.at(-1) - data.at[0]) / 34; // a name needs room
    const areas = data.spans.map(([kind, from, to]) => [
      { xAxis: shifted(from), name: to - from > wide ? words[kind] : "", itemStyle: { color: shades[kind], opacity: 0.14 }, label: { color: shades[kind], fontSize: 12, position: "insideTop" } }, { xAxis: shifted(to) },
    ]);
    const inbound = line(words.in, data.in, tone("chart-in"), { areaStyle: { color: tone("chart-in"), opacity: 0.12 } });
    inbound.markArea = { silent: true, animation: false, data: areas };
    const series = [inbound, line(words.out, data.out, tone("chart-out"), {}), level(words.contract, data.contract, tone("chart-contract"))];
    if (data.p95 !== null) series.push(level(words.p95, data.p95, tone("chart-p95")));
    const values = { [words.contract]: ` ${bps(data.contract)}`, [words.p95]: ` ${bps(data.p95)}` };
    return {
      useUTC: true, series,
      legend: { top: 0, left: 0, itemGap: 18, textStyle: { color: tone("text"), fontSize: 13 }, inactiveColor: tone("chart-axis"), icon: "roundRect", itemWidth: 18, itemHeight: 4, formatter: (name) => (width < 560 ? name : name + (values[name] || "")) },
      grid: { top: width < 560 ? 64 : 40, left: 8, right: 16, bottom: 8, containLabel: true },
      tooltip: { ...tooltip(tone), valueFormatter: bps, axisPointer: { lineStyle: { color: tone("chart-axis") }, label: { formatter: (one) => `${local(one.value).day} ${local(one.value).time}` } } },
      xAxis: { type: "time", ...axis(tone), splitLine: { show: false }, axisLabel: { color: tone("chart-axis"), hideOverlap: true, formatter: tick } },
      yAxis: { type: "value", min: 0, ...axis(tone), axisLabel: { color: tone("chart-axis"), formatter: bps } },
    };
  }

  function days(data, words, tone) {
    return {
      grid: { top: 16, left: 8, right: 8, bottom: 4, containLabel: true },
      tooltip: { ...tooltip(tone), valueFormatter: (value) => `${value} ${data.unit}` },
      xAxis: { type: "category", data: data.days, ...axis(tone), axisLabel: { color: tone("chart-axis"), hideOverlap: true, formatter: (day) => day.slice(5) } },
      yAxis: { type: "value", ...axis(tone) },
      series: [{ type: "bar", data: data.values.map((value, index) => ({ value, itemStyle: { opacity: data.days[index] === data.today ? 0.45 : 1 } })), // a day that still runs
        barMaxWidth: 20, itemStyle: { color: tone("chart-in"), borderRadius: [2, 2, 0, 0] }, emphasis: { disabled: true } }],
    };
  }

  const kinds = { traffic, days };

  function draw(box) {
    const source = document.getElementById(box.dataset.source);
    if (!source) return;
    const tone = tones();
    const chart = echarts.getInstanceByDom(box) || echarts.init(box, null, { renderer: "canvas" });
    const option = kinds[box.dataset.chart](JSON.parse(source.textContent), box.dataset, tone, box.clientWidth);
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
