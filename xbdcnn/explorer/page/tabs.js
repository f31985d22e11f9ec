// Tabs as a screen reader and the keyboard expect them: one is in the order of Tab, arrows move.

const MOVES = { ArrowLeft: -1, ArrowRight: 1 };

/** Connect the buttons with role "tab" in a list; chosen(name) is called for each new choice. */
export function createTabs(list, chosen) {
  const tabs = [...list.querySelectorAll('[role="tab"]')];
  let current = "";
  function select(name) {
    if (name === current || !tabs.some((tab) => tab.dataset.tab === name)) return;
    current = name;
    for (const tab of tabs) {
      const isCurrent = tab.dataset.tab === name;
      tab.setAttribute("aria-selected", isCurrent);
      tab.tabIndex = isCurrent ? 0 : -1;
    }
    chosen(name);
  }
  function focus(index) {
    const tab = tabs.at(index % tabs.length);
    tab.focus();
    select(tab.dataset.tab);
  }
  tabs.forEach((tab, i) => {
    tab.addEventListener("click", () => select(tab.dataset.tab));
    tab.addEventListener("keydown", (event) => {
      const ends = { Home: 0, End: tabs.length - 1 };
      const goal = event.key in MOVES ? i + MOVES[event.key] : ends[event.key];
      if (goal === undefined) return;
      event.preventDefault();
      focus(goal);
    });
  });
  return { select, current: () => current };
}
