// Live refresh, theme switch, clock, keys. No inline code anywhere: the content security policy forbids it.
"use strict";
(() => {
  const pause = 5000; // a region is fetched again at most this often
  const due = new Map();

  function refresh(region) {
    due.delete(region.id);
    if (document.hidden) { region.dataset.stale = "1"; return; }
    delete region.dataset.stale;
    region.dataset.refreshed = String(Date.now());
    region.dispatchEvent(new CustomEvent("yw-changed"));
  }

  function plan(region) {
    if (due.has(region.id)) return;
    const since = Date.now() - Number(region.dataset.refreshed || 0);
    due.set(region.id, setTimeout(() => {
      const present = document.getElementById(region.id);
      if (present) refresh(present);
    }, Math.max(0, pause - since)));
  }

  function changed(topics) {
    for (const region of document.querySelectorAll("[data-live]")) {
      if (region.dataset.live.split(" ").some((topic) => topics.includes(topic))) plan(region);
    }
  }

  // A refused stream (session over, too many pages) is not retried by the browser: look again, which leads to the login if need be.
  function listen() {
    const stream = new EventSource(document.body.dataset.events);
    stream.addEventListener("changed", (event) => changed(JSON.parse(event.data)));
    stream.addEventListener("error", () => {
      if (stream.readyState !== EventSource.CLOSED) return;
      const region = document.querySelector("[data-live]");
      if (region) plan(region);
      setTimeout(listen, 15000);
    });
    addEventListener("pagehide", () => stream.close(), { once: true });
  }
  if (document.body.dataset.events) listen();
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) for (const region of document.querySelectorAll("[data-stale]")) refresh(region);
  });

  // A refreshed region keeps what the reader had unfolded.
  let unfolded = [];
  document.addEventListener("htmx:before:swap", () => {
    unfolded = [...document.querySelectorAll("main details[open][id]")].map((one) => one.id);
  });
  document.addEventListener("htmx:after:swap", () => {
    for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
    document.dispatchEvent(new CustomEvent("yw-shown"));
  });

  // Theme: the server knows the choice by its cookie; the switch works without a reload, too.
  for (const link of document.querySelectorAll("[data-theme-switch]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const root = document.documentElement;
      const dark = root.dataset.theme === "dark" || (root.dataset.theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
      root.dataset.theme = dark ? "light" : "dark";
      document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax` + (location.protocol === "https:" ? "; secure" : "");
      document.dispatchEvent(new CustomEvent("yw-theme"));
    });
  }

  // Files that are too big are told of before they travel.
  for (const form of document.querySelectorAll("form[data-limit]")) {
    form.addEventListener("change", () => {
      const chosen = [...form.querySelectorAll("input[type=file]")];
      const bytes = chosen.reduce((sum, one) => sum + [...one.files].reduce((size, file) => size + file.size, 0), 0);
      chosen[0].setCustomValidity(bytes > Number(form.dataset.limit) ? form.dataset.tooBig : "");
    });
  }

  // The menu is folded on a small screen.
  const menu = document.querySelector(".menu");
  const small = matchMedia("(max-width: 820px)");
  const fold = () => { if (menu) menu.open = !small.matches; };
  fold();
  small.addEventListener("change", fold);
  menu?.querySelector("summary").addEventListener("click", (event) => { if (!small.matches) event.preventDefault(); });
  document.addEventListener("click", (event) => {
    const account = document.querySelector(".account[open]");
    if (account && !account.contains(event.target)) account.open = false;
  });

  const clock = document.querySelector("[data-clock]");
  if (clock) {
    const shown = new Intl.DateTimeFormat("sv-SE", { timeZone: "Asia/Shanghai", dateStyle: "short", timeStyle: "medium" });
    setInterval(() => { clock.textContent = shown.format(new Date()); }, 1000);
  }

  // Keys: / to the filter, g then a letter to a page, Escape closes what is open.
  const pages = { h: "/", l: "/links", u: "/usage", b: "/bills", a: "/alerts", i: "/incidents", c: "/collectors" };
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { document.querySelector(".account[open]")?.removeAttribute("open"); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    if (event.key === "/") {
      const search = document.querySelector("input[type=search]");
      if (search) { event.preventDefault(); search.focus(); }
    } else if (event.key === "g") {
      going = Date.now();
    } else if (Date.now() - going < 1500 && pages[event.key] && document.body.dataset.events) {
      location.assign(pages[event.key]);
    }
  });
})();
