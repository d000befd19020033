"use strict";
(() => {
  const EVERY_MS = 2000, KEPT = 150; // five minutes
  const at = id => document.getElementById(id);
  const history = { goodput: [], "in-time": [], p99: [], lag: [] };

  const number = n => n == null ? "-" : Math.abs(n) >= 100 ? Math.round(n).toLocaleString("en") : n.toLocaleString("en", { maximumSignificantDigits: 3 });
  const ms = n => n == null ? "-" : n >= 1000 ? `${number(n / 1000)} s` : n < 1 ? `${number(n * 1000)} µs` : `${number(n)} ms`;
  const percent = x => x == null ? "-" : `${(100 * x).toFixed(x > 0.999 && x < 1 ? 2 : 1)} %`;
  const total = counts => Object.values(counts).reduce((sum, n) => sum + n, 0);

  const cell = content => {
    const td = document.createElement("td");
    if (content instanceof Node) td.append(content); else td.textContent = content;
    return td;
  };
  const fill = (id, rows) => at(id).replaceChildren(...rows.map(({ cells, named }) => {
    const tr = document.createElement("tr");
    tr.append(...cells.map(cell));
    if (named) tr.className = "named";
    return tr;
  }));
  const plain = (...cells) => ({ cells });

  const draw = (name, value) => {
    const points = history[name];
    points.push(value ?? null);
    if (points.length > KEPT) points.shift();
    const known = points.filter(p => p != null), most = Math.max(...known, 1e-9);
    const line = at(`${name}-line`).firstElementChild;
    line.setAttribute("points", points.map((p, i) => p == null ? "" :
      `${(100 * (i + KEPT - points.length) / (KEPT - 1)).toFixed(1)},${(23 - 22 * p / most).toFixed(1)}`).filter(Boolean).join(" "));
  };
  const figure = (name, text, level, value) => {
    at(name).textContent = text;
    at(name).className = level;
    draw(name, value);
  };

  const stageName = stage => {
    const made = document.createDocumentFragment(), swatch = document.createElement("span");
    swatch.className = `swatch ${stage}`;
    made.append(swatch, stage);
    return made;
  };

  const figures = (s, lately) => {
    const ended = lately && total(lately.outcomes);
    const inTime = ended ? (lately.outcomes.on_time + lately.outcomes.degraded) / ended : null;
    const p99 = lately?.latency_ms.p99;
    const records = total(s.lag_records);
    figure("goodput", lately ? `${number(lately.goodput_per_s)}/s` : "-", "", lately?.goodput_per_s);
    figure("in-time", percent(inTime), inTime == null ? "" : inTime >= 0.99 ? "good" : inTime >= 0.9 ? "fair" : "bad", inTime);
    figure("p99", ms(p99), p99 == null ? "" : p99 <= s.budget_ms ? "good" : "bad", p99);
    figure("lag", s.lag_s ? `${number(s.lag_s)} s` : number(records), "", records);
  };

  const outcomes = (summary, lately) => {
    fill("outcomes", Object.entries(summary.outcomes).map(([outcome, count]) =>
      plain(outcome, lately ? number(lately.outcomes[outcome]) : "-", number(count), summary.consumed ? percent(count / summary.consumed) : "-")));
    const reasons = Object.entries(summary.reasons).map(([reason, count]) => `${reason} ${number(count)}`);
    at("reasons").textContent = [reasons.length ? `Reasons: ${reasons.join(", ")}.` : "", summary.skipped ? `Skipped: ${number(summary.skipped)}.` : "",
      `Handed back: ${number(summary.handed_back)}.`].filter(Boolean).join(" ");
  };

  const latencies = (s, lately) => {
    const row = (name, l) => plain(name, ...["p50", "p90", "p99", "p999"].map(q => ms(l?.[q])));
    fill("latency", [...(lately ? [row(`last ${number(lately.over_s)} s`, lately.latency_ms)] : []), row("since the start", s.summary.latency_ms)]);
    at("budget").textContent = `The budget is ${ms(s.budget_ms)}, from the event to the broker's acknowledgement.`;
  };

  const stages = (summary, lately) => {
    const found = lately?.stages_ms ?? {}, tail = summary.tail;
    const known = Object.keys(summary.stages_ms).filter(stage => found[stage] || Object.keys(summary.stages_ms[stage]).length);
    const all = known.reduce((sum, stage) => sum + Math.max(0, found[stage]?.mean ?? 0), 0);
    at("strip").replaceChildren(...known.filter(() => all > 0).map(stage => {
      const part = document.createElement("div");
      part.className = stage;
      part.title = `${stage} ${ms(found[stage]?.mean)}`;
      part.style.width = `${100 * Math.max(0, found[stage]?.mean ?? 0) / all}%`;
      return part;
    }));
    fill("stages", known.map(stage => ({
      named: tail?.stage === stage,
      cells: [stageName(stage), ms(found[stage]?.mean), ms((found[stage] ?? summary.stages_ms[stage]).p50), ms((found[stage] ?? summary.stages_ms[stage]).p99), ms(tail?.mean_ms[stage])],
    })));
    at("tail").textContent = tail ? `Events above ${ms(tail.over_ms)} (p99) lose their time in ${tail.stage}: ${ms(tail.mean_ms[tail.stage])} there, others ${ms(tail.typical_ms[tail.stage])}.` : "";
  };

  const machine = (s, lately) => {
    const rows = [
      ["model", s.models.map(m => m.variant).join(", ")],
      ["deciding now", s.variant_level == null ? null : s.models[s.variant_level]?.variant ?? `variant ${s.variant_level}`],
      ["waiting for a batch", number(s.queue_depth)],
      ...Object.entries(s.lane_depths).map(([lane, depth]) => [`in lane ${lane}`, number(depth)]),
      ["micro-batches", lately?.batch_size == null ? null : `${number(lately.batch_size)} events, ${percent(lately.batch_fill)} full, ${number(lately.batches_per_s)}/s`],
      ["executor used", lately?.utilisation == null ? null : percent(lately.utilisation)],
      ["workers it would take", s.demand_workers == null ? null : number(s.demand_workers)],
      ["event loop late", s.loop_lag_s == null ? null : ms(1000 * s.loop_lag_s)],
      ["workers", s.workers && Object.entries(s.workers).filter(([, n]) => n).map(([state, n]) => `${n} ${state}`).join(", ")],
      ["CPU", s.summary && `${number(s.summary.cpu_s)} s in ${number(s.summary.duration_s)} s`],
    ];
    fill("machine", rows.filter(([, value]) => value).map(([name, value]) => plain(name, value)));
    fill("partitions", Object.entries(s.lag_records).sort(([, a], [, b]) => b - a).slice(0, 50).map(([name, count]) => plain(name, number(count))));
  };

  const objectives = slo => {
    at("slo").hidden = !slo.length;
    fill("objectives", slo.map(o => ({
      named: o.burn.some(b => b.firing),
      cells: [o.name, o.good_percent == null ? "no data" : percent(o.good_percent / 100), percent(o.budget_left), `${number(Math.max(0, ...o.burn.map(b => b.rate)))}x`],
    })));
    return slo.flatMap(o => {
      const burning = o.burn.filter(b => b.firing).sort((a, b) => b.rate - a.rate)[0];
      const summary = burning ? `burns ${number(burning.rate)} times faster than its budget allows, ${percent(o.budget_left)} of it left` : "no data comes";
      return burning || o.no_data ? [{ name: o.name, severity: burning?.severity ?? "ticket", summary }] : [];
    });
  };

  const alerts = firing => {
    at("alerts").hidden = !firing.length;
    at("alert-list").replaceChildren(...firing.map(alert => {
      const li = document.createElement("li");
      li.className = alert.severity ?? "";
      li.textContent = [alert.severity, alert.name, alert.summary].filter(Boolean).join(": ");
      return li;
    }));
  };

  const show = s => {
    const state = at("state");
    state.textContent = s.state;
    state.className = `state ${s.state}`;
    const name = s.summary?.pipeline ?? "streamproc";
    document.title = at("name").textContent = name;
    at("about").textContent = [s.waiting_for.length ? `waiting for ${s.waiting_for.join(", ")};` : "", `streamproc ${s.version}`].join(" ");
    alerts(objectives(s.slo));
    figures(s, s.recent);
    if (s.summary) {
      outcomes(s.summary, s.recent);
      latencies(s, s.recent);
      stages(s.summary, s.recent);
    }
    machine(s, s.recent);
    at("seen").textContent = `Last seen ${new Date().toLocaleTimeString()}.`;
  };

  const lost = why => {
    at("state").textContent = `no answer (${why})`;
    at("state").className = "state lost";
  };

  const ask = async () => {
    try {
      const answer = await fetch("/api/status", { signal: AbortSignal.timeout(10000) });
      if (answer.ok) show(await answer.json()); else lost(answer.status);
    } catch (error) {
      lost(error.name);
    }
  };
  const go = async () => {
    if (!document.hidden) await ask();
    setTimeout(go, EVERY_MS);
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  go();
})();
