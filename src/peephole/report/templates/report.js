(() => {
  const root = document.documentElement, toggle = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  const say = () => { toggle.textContent = isDark() ? "Light colours" : "Dark colours"; };
  toggle.hidden = false;
  toggle.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; say(); });
  dark.addEventListener("change", say);
  say();
  for (const choice of document.querySelectorAll(".choice")) {
    const select = choice.querySelector("select"), figures = [...choice.querySelectorAll("figure")];
    const show = () => figures.forEach((figure, place) => { figure.hidden = place !== select.selectedIndex; });
    choice.querySelector(".chooser").hidden = false;
    select.addEventListener("change", show);
    show();
  }
})();
