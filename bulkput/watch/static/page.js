"use strict";
// Shows the numbers of a run. Texts come from file names and servers, so they are set by textContent and nothing else.

(() => {
  const $ = id => document.getElementById(id);
  const AT_A_GLANCE = 4; // failures; a person unfolds the others
  const NARROW = "\u202f"; // a narrow space that does not break

  const put = (id, text) => { const place = $(id); if (place.textContent !== text) place.textContent = text; };
  const show = (id, isShown) => { $(id).hidden = !isShown; };
  const count = value => Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, NARROW);
  const digits = value => value >= 100 ? count(value) : `${+value.toFixed(value < 10 ? 2 : 1)}`;

  function size(bytes) {
    let power = 0;
    while (power < Charts.UNITS.length - 1 && bytes >= 1024 ** (power + 1)) power += 1;
    return [digits(bytes / 1024 ** power), Charts.UNITS[power]];
  }

  function duration(seconds) {
    const whole = Math.round(seconds), days = Math.floor(whole / 86400), hours = Math.floor(whole / 3600) % 24;
    const minutes = Math.floor(whole / 60) % 60;
    if (days) return `${days} d ${hours} h`;
    if (hours) return `${hours} h ${minutes} min`;
    return minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
  }

  const exact = seconds => seconds < 60 ? `${seconds.toFixed(1)} s` : duration(seconds); // as the last lines on stderr

  const counted = (value, one, many) => `${count(value)} ${value === 1 ? one : many}`;
  const moment = seconds => new Date(seconds * 1000).toLocaleString();

  /** A big number with a small unit; parts of a duration are such pairs too. */
  function big(id, pairs) {
    const text = pairs.flat().join("|");
    if ($(id).dataset.text === text) return;
    $(id).dataset.text = text;
    $(id).replaceChildren(...pairs.flatMap(([number, unit]) => [number, element("span", unit, "unit"), " "]));
  }

  function element(name, text, kind) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  }

  /** A path, without the directory that the header names. */
  function named(name, run, path) {
    const [root] = run.about.sources, isBelow = run.about.sources.length === 1 && path.startsWith(`${root}/`);
    const made = element(name, isBelow ? path.slice(root.length + 1) : path, "name");
    made.title = path;
    return made;
  }

  const pairs = text => text.split(" ").reduce((all, word, at) => at % 2 ? all : [...all, [word, text.split(" ")[at + 1] ?? ""]], []);

  const ENDS = {
    0: ["good", "Finished: all there"], 1: ["bad", "Finished with failures"], 2: ["bad", "Not begun"],
    3: ["bad", "Stopped"], 130: ["warn", "Interrupted"], 141: ["warn", "Interrupted"],
  };

  function look(run) {
    if (run.ended) {
      const [kind, words] = ENDS[run.ended.exit_code] ?? ["bad", "Ended"];
      return [kind, `${words} (exit code ${run.ended.exit_code})`];
    }
    if (run.state === "stalled") return ["bad", `Stalled for ${duration(run.stalled_s)}`];
    if (run.state === "stopping") return ["warn", "Stopping"];
    return ["", run.state === "starting" ? "Starting" : "Running"];
  }

  function showState(run) {
    const [kind, words] = look(run);
    put("state", words);
    $("state").dataset.kind = kind;
    document.querySelector("main").dataset.state = run.state;
    const stopping = run.stopping ? `Stopping: ${run.stopping}` : "";
    const stalled = run.state === "stalled" ? "Nothing moves. The table says what the files at work wait for." : "";
    notice(run.ended ? ending(run) : stopping || stalled, kind);
    put("destination", run.about.destination);
    const more = run.about.more_sources ? ` and ${count(run.about.more_sources)} more` : "";
    put("origin", [
      `${run.about.is_dry_run ? "dry run, " : ""}from ${run.about.sources.join(", ")}${more}`,
      run.about.tag ? `tag ${run.about.tag}` : "",
    ].filter(Boolean).join(" · "));
    put("footer", `bulkput ${run.about.version} · began ${moment(run.about.began_at)}`);
    const share = percent(run);
    document.title = `${run.ended ? words : share || words} · ${run.about.destination}`;
  }

  /** What a run that has ended too early, or with failures, has left undone. Empty if nothing. */
  function ending(run) {
    const code = run.ended.exit_code, why = run.ended.why || run.stopping;
    const all = `of ${counted(run.found, "file", "files")} found`;
    const isWrong = code !== 0 && !run.about.is_dry_run;
    return [
      code === 130 || code === 141 ? `The run was interrupted${run.ended.why ? `: ${run.ended.why}` : ""}.`
        : why ? `The run was stopped: ${why}.` : "",
      run.failed ? `${count(run.failed)} ${all} failed.` : "",
      run.not_sent ? `${count(run.not_sent)} ${all} ${run.not_sent === 1 ? "was" : "were"} not sent.` : "",
      run.is_scan_done || !run.found ? "" : "The scan did not come to its end: there may be more.",
      isWrong && !run.uploaded ? "Nothing was uploaded." : "",
    ].filter(Boolean).join(" ");
  }

  function notice(text, kind) {
    put("notice", text);
    $("notice").dataset.kind = kind;
    show("notice", text !== "");
  }

  const share = run => run.found ? Math.min(1, run.done / run.found) : 0;
  // Rounded down: 100 % means that nothing is left.
  const percent = run => run.is_scan_done && run.found ? `${Math.floor(share(run) * 100)} %` : "";

  function showProgress(run) {
    const isOpen = !run.is_scan_done;
    put("done", count(run.done));
    const scan = run.ended ? "when the scan was ended" : "so far: scan still running";
    put("of", isOpen ? `done, ${count(run.found)} found ${scan}` : `of ${count(run.found)} done`);
    put("percent", isOpen ? "" : percent(run));
    const isDrawn = !isOpen || run.ended; // as long as the scan goes on, nobody knows of how many
    const lost = run.failed ? Math.max(0.5, 100 * run.failed / run.found) : 0; // half a percent can still be seen
    $("fill").style.width = isDrawn ? `${Math.max(0, share(run) * 100 - lost)}%` : "0";
    $("lost").style.width = isDrawn ? `${lost}%` : "0";
    $("bar").classList.toggle("open", isOpen);
    $("bar").dataset.kind = run.ended ? look(run)[0] : "";
    if (isOpen) $("bar").removeAttribute("aria-valuenow");
    else $("bar").setAttribute("aria-valuenow", Math.floor(share(run) * 100));
  }

  function showTiles(run) {
    const elapsed = run.ended ? exact(run.elapsed_s) : duration(run.elapsed_s);
    if (run.left_s !== null) {
      put("time_title", "Time left");
      big("time", pairs(duration(run.left_s)));
      put("time_more", `running for ${elapsed}`);
    } else {
      put("time_title", run.ended ? "Took" : "Running for");
      big("time", pairs(elapsed));
      put("time_more", run.ended ? `until ${moment(run.ended_at)}`
        : `time left: ${run.is_scan_done ? "not known now" : "known when the scan ends"}`);
    }
    const average = run.mean.uploaded_per_s, averageBytes = run.mean.bytes_per_s;
    const [asked, askedBytes] = run.asked;
    big("objects", [[digits(run.ended ? average : run.uploaded_per_s), ""]]);
    put("objects_more", [
      run.ended ? "average" : `average ${digits(average)}`,
      asked ? `at most ${digits(asked)} asked for` : "",
      !run.ended && run.skipped_per_s >= 1 ? `and ${digits(run.skipped_per_s)}/s skipped` : "",
    ].filter(Boolean).join(", "));
    big("bytes", [size(run.ended ? averageBytes : run.bytes_per_s)]);
    put("bytes_more", [
      run.ended ? "average" : `average ${size(averageBytes).join(" ")}`, `${size(run.bytes_moved).join(" ")} in all`,
      askedBytes ? `at most ${size(askedBytes).join(" ")}/s asked for` : "",
    ].filter(Boolean).join(", "));
    big("failed", [[count(run.failed), ""]]);
    $("failed_tile").dataset.kind = run.failed ? "bad" : "";
    const retries = counted(run.retries, "retry", "retries");
    put("failed_more", !run.retries ? "no retries" : !run.throttled ? retries
      : run.throttled === run.retries ? `${retries}, throttled` : `${retries}, ${count(run.throttled)} throttled`);
  }

  function showFailures(run) {
    show("failures", run.failures.length > 0);
    const rows = run.failures.map(({name, error}) => {
      const row = element("li");
      row.append(named("span", run, name), element("span", error, "error"));
      return row;
    });
    const rest = rows.slice(AT_A_GLANCE);
    if ($("failure_list").childElementCount + $("rest_list").childElementCount !== rows.length) {
      $("failure_list").replaceChildren(...rows.slice(0, AT_A_GLANCE));
      $("rest_list").replaceChildren(...rest);
    }
    show("rest", rest.length > 0);
    put("rest_title", `${count(rest.length)} more`);
    put("more_failures", run.more_failures ? `${count(run.more_failures)} more are named on stderr, and in the summary` : "");
    put("last_retry", run.last_retry ? `last retry: ${run.last_retry}` : "");
    show("trouble", run.retries + run.failed > 0);
  }

  function showFlight(run) {
    show("flight", run.rows.length > 0);
    $("rows").replaceChildren(...run.rows.map(row => {
      const line = element("tr"), doing = row.attempt > 1 ? `attempt ${row.attempt}: ${row.doing}` : row.doing;
      line.append(element("td", `${row.age_s.toFixed(1)} s`), named("td", run, row.name || "–"), element("td", doing));
      return line;
    }));
    const more = run.in_flight - run.rows.length;
    put("more_rows", more > 0 ? `and ${count(more)} more` : "");
    put("why", run.limit === null ? "" : `at most ${count(run.limit)} requests at a time: ${run.why}`);
  }

  function showBars(section, list, groups) {
    show(section, groups.length > 0);
    const most = Math.max(...groups.map(group => group.per_s), 1e-9);
    $(list).replaceChildren(...groups.map(group => {
      const row = element("div"), bar = element("i");
      bar.style.width = `${100 * group.per_s / most}%`;
      row.append(element("span", group.name, "name"), element("em", `${group.per_s.toFixed(1)}/s, ${count(group.done)} done`),
        bar);
      return row;
    }));
  }

  function showCounts(run) {
    const rows = [
      ["Found", count(run.found) + (run.is_scan_done ? "" : "+")], ["Uploaded", count(run.uploaded)],
      ["Failed", count(run.failed)], run.not_sent ? ["Not sent", count(run.not_sent)] : null,
      ...Object.entries(run.skipped_by_reason).map(([why, number]) => [`Skipped: ${why}`, count(number)]),
      run.removed ? ["Removed", count(run.removed)] : null,
      run.expiring ? ["Expiring", count(run.expiring)] : null,
      ["Retries", count(run.retries)], run.throttled ? ["Throttled", count(run.throttled)] : null,
      run.warned ? ["Warnings (on stderr)", count(run.warned)] : null,
      ["Sent", size(run.bytes_sent).join(" ")],
      run.large ? ["Large files", `${size(run.large.sent).join(" ")} of ${size(run.large.size).join(" ")}`] : null,
    ].filter(Boolean);
    $("counts").replaceChildren(...rows.map(([name, value]) => {
      const row = element("div");
      row.append(element("dt", name), element("dd", value));
      return row;
    }));
  }

  function showAll(run) {
    showState(run);
    showProgress(run);
    showTiles(run);
    showFailures(run);
    showFlight(run);
    showBars("workers", "worker_list", run.workers);
    showBars("containers", "container_list", run.containers);
    showCounts(run);
    Charts.take(run.history, run.about.began_at);
    show("too_short", Charts.isShort());
    if (run.ended) put("too_short", "No charts: the run was too short for them.");
    document.querySelector(".charts").classList.toggle("short", Charts.isShort());
    Charts.draw();
  }

  function listen() {
    const stream = new EventSource("events");
    document.body.className = "live";
    stream.onmessage = message => {
      const run = JSON.parse(message.data);
      showAll(run);
      if (run.ended) stream.close(); // the run has ended: nothing more comes, and nobody asks for it
    };
    stream.onerror = () => {
      if (stream.readyState !== EventSource.CLOSED)
        notice("No connection to the run: it may have been killed. Trying again every few seconds.", "warn");
      else notice("The run sends no numbers to this page: too many pages may be open.", "warn");
      put("state", "No connection");
      $("state").dataset.kind = "warn";
    };
  }

  Charts.begin();
  const numbers = $("numbers");
  if (numbers) showAll(JSON.parse(numbers.textContent));
  else listen();
})();
