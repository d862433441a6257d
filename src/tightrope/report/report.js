// The sample slider, the theme, copy buttons, the recipe's filter, printing.
(() => {
  const byId = (id) => document.getElementById(id), frames = REPORT.frames;
  const stage = byId("stage"), slider = byId("slider"), fake = byId("fake"), real = byId("real");
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

  function samples() {
    if (frames.length && fake) frames[frames.length - 1].src = fake.getAttribute("src");
    let zoom = 0, timer = null; // zoom 0: as large as fits, in whole multiples of the screen's pixels where possible
    const images = [fake, real].filter(Boolean), play = byId("play");
    const natural = (image) => Number(image.getAttribute("width"));
    const fitted = () => {
      const room = Math.min(...images.map((image) => image.parentElement.clientWidth).filter((w) => w > 0));
      const scale = Math.min(room / Math.max(...images.map(natural)), stage.dataset.view === "swap" ? 720 / Math.max(...images.map(natural)) : 8);
      const dots = window.devicePixelRatio || 1;
      const whole = Math.floor(scale * dots) / dots;
      return whole >= 0.8 * scale ? whole : scale;
    };
    function size() {
      const scale = zoom || fitted();
      images.forEach((image) => { image.style.width = `${natural(image) * scale}px`; image.style.height = "auto"; });
      stage.classList.toggle("shrunk", scale * (window.devicePixelRatio || 1) < 1);
      byId("fit").textContent = `${+scale.toFixed(2)}×`;
      byId("fit").setAttribute("aria-label", `Zoom ${+scale.toFixed(2)}, press to fit`);
    }
    function show(index) {
      const at = Math.min(frames.length - 1, Math.max(0, index)), frame = frames[at];
      slider.value = at;
      slider.style.setProperty("--done", `${(100 * at) / (frames.length - 1)}%`);
      fake.src = frame.src;
      const seen = Format.count(frame.seen);
      byId("when").innerHTML = `seen <b>${seen}</b>, ${frame.time}`; // digits and units only, made by the builder
      fake.alt = `Generated samples at seen ${seen}`;
      slider.setAttribute("aria-valuetext", `seen ${seen}, ${frame.time}`);
      Charts.mark(frame.seen);
    }
    function pause() {
      clearInterval(timer);
      timer = null;
      play.setAttribute("aria-label", "Play");
      play.classList.remove("on");
    }
    function start() {
      if (Number(slider.value) >= frames.length - 1) show(0);
      play.setAttribute("aria-label", "Pause");
      play.classList.add("on");
      timer = setInterval(() => {
        show(Number(slider.value) + 1);
        if (Number(slider.value) >= frames.length - 1) pause();
      }, still ? 900 : 220);
    }
    if (slider) {
      slider.addEventListener("input", () => { pause(); show(Number(slider.value)); });
      play.addEventListener("click", () => (timer ? pause() : start()));
      document.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!step || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, button, #charts, summary, .scroll")) return;
        event.preventDefault();
        pause();
        show(Number(slider.value) + step);
      });
      document.addEventListener("seen", (event) => {
        pause();
        const far = frames.map((frame) => Math.abs(frame.seen - event.detail));
        show(far.indexOf(Math.min(...far)));
      });
      show(frames.length - 1);
    }
    const levels = [0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12];
    byId("in").addEventListener("click", () => { const now = zoom || fitted(); zoom = levels.find((l) => l > now + 0.01) || 12; size(); });
    byId("out").addEventListener("click", () => { const now = zoom || fitted(); zoom = levels.findLast((l) => l < now - 0.01) || 0.25; size(); });
    byId("fit").addEventListener("click", () => { zoom = 0; size(); });
    const panes = images.map((image) => image.parentElement);
    panes.forEach((pane) => pane.addEventListener("scroll", () => panes.forEach((other) => {
      if (other !== pane) { other.scrollLeft = pane.scrollLeft; other.scrollTop = pane.scrollTop; }
    })));
    const views = [...stage.querySelectorAll("[data-set]")];
    const front = (kind) => { stage.dataset.front = kind; };
    views.forEach((button) => button.addEventListener("click", () => {
      const again = button.dataset.set === "swap" && stage.dataset.view === "swap";
      front(again && stage.dataset.front === "fake" ? "real" : "fake");
      stage.dataset.view = button.dataset.set;
      views.forEach((other) => other.setAttribute("aria-pressed", other === button));
      size();
    }));
    images.forEach((image) => image.addEventListener("click", () => {
      if (stage.dataset.view === "swap") front(stage.dataset.front === "fake" ? "real" : "fake");
    }));
    front("fake");
    new ResizeObserver(size).observe(stage);
    size();
  }
  if (stage) samples();

  const themes = ["auto", "light", "dark"], button = byId("theme");
  const stored = () => { try { return localStorage.getItem("tightrope-theme") || "auto"; } catch { return "auto"; } };
  function dress() {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.lastElementChild.textContent = theme[0].toUpperCase() + theme.slice(1);
    button.setAttribute("aria-label", `Colours: ${theme === "auto" ? "as the system" : theme}`);
  }
  let theme = themes.includes(stored()) ? stored() : "auto";
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    try { localStorage.setItem("tightrope-theme", theme); } catch { /* a file without storage keeps the choice until closed */ }
    dress();
  });
  dress();

  async function copy(text) {
    try { await navigator.clipboard.writeText(text); return true; } catch {
      const field = document.body.appendChild(document.createElement("textarea"));
      field.value = text;
      field.select();
      const done = document.execCommand("copy"); // where the clipboard is closed to files opened from disk
      field.remove();
      return done;
    }
  }
  document.querySelectorAll(".copy").forEach((each) => each.addEventListener("click", async () => {
    each.textContent = (await copy(each.previousElementSibling.textContent)) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { each.textContent = "Copy"; }, 1600);
  }));

  const filter = byId("only-changed");
  if (filter) {
    const table = document.querySelector("table.fields");
    filter.addEventListener("change", () => table.classList.toggle("filtered", filter.checked));
  }
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
})();
