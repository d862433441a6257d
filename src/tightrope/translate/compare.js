for (const pair of document.querySelectorAll(".pair")) {
  const slider = pair.querySelector("input");
  const show = () => pair.style.setProperty("--at", `${slider.value / 10}%`);
  slider.addEventListener("input", show);
  show();
}
