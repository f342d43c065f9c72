"""What resilience4j documents of its circuit breaker, written down as plainly as can be.

It shares no code and no idea with shared/breaker.py: everything that ever happened stays in one
list, and every question is answered by reading the list again from its start. States and events
are words; the settings are the only thing it takes from there.

From the documentation (resilience4j.readme.io/docs/circuitbreaker and its Javadoc):
- Three normal states and three special ones. Calls are allowed in closed, disabled and metrics-only
  and refused in open and forced-open.
- Closed opens when failures, or slow calls, reach their threshold among the last N calls, or the
  calls of the last N seconds (partial results a second), not before the least number of calls; for
  a count window that number is at most the window. Slow means longer than the bound.
- Open turns half-open once the wait has passed: with the next call, or by itself when automatic.
- Half-open permits so many calls and refuses more until they have ended, then decides by the same
  thresholds. With a longest stay it opens again when that is over.
- Ignored results are neither success nor failure and give their permission back.
- Disabled and forced-open record nothing and say nothing but transitions; metrics-only records and
  says that a rate was reached, once each, and never opens. Only a transition or a reset ends them.
Ours: a latched breaker that is open stays so until somebody says otherwise.
"""

NS = 1_000_000_000


class Model:
    def __init__(self, settings):
        self.settings = settings
        self.story = [("entered", "closed", 0)]
        self.said = []
        self.totals = {"ok": 0, "failed": 0, "slow": 0, "ignored": 0, "not_permitted": 0}

    @property
    def state(self):
        return self.chapter()[0][1]

    @property
    def since_ns(self):
        return self.chapter()[0][2]

    def chapter(self):
        """Everything since the present state was entered, that included."""
        story = self.story
        at = len(story) - 1
        while story[at][0] != "entered":
            at -= 1
        return story[at:]

    def enter(self, state, at_ns):
        before = self.state
        self.story.append(("entered", state, at_ns))
        if state != before:
            self.said.append(("state_transition", at_ns, before, state, -1.0))

    def pass_time(self, now_ns):
        settings = self.settings
        while True:
            _, state, since_ns = self.chapter()[0]
            open_over_ns, trial_over_ns = since_ns + settings.open_ns, None
            if settings.half_open_ns_max:
                trial_over_ns = since_ns + settings.half_open_ns_max
            if (
                state == "open"
                and settings.is_automatic
                and not settings.is_latched
                and open_over_ns <= now_ns
            ):
                self.enter("half_open", open_over_ns)
            elif state == "half_open" and trial_over_ns and trial_over_ns <= now_ns:
                self.enter("open", trial_over_ns)
            else:
                return

    def permissions_left(self):
        left = self.settings.permitted_half_open_count
        for entry in self.chapter():
            if entry[0] == "acquired":
                left -= 1
            elif entry[0] == "released" and left < self.settings.permitted_half_open_count:
                left += 1
        return left

    def acquire(self, now_ns):
        self.pass_time(now_ns)
        _, state, since_ns = self.chapter()[0]
        waited = now_ns - since_ns >= self.settings.open_ns
        if state == "open" and waited and not self.settings.is_latched:
            state = "half_open"
            self.enter(state, now_ns)
        if state == "half_open":
            is_allowed = self.permissions_left() > 0
        else:
            is_allowed = state in {"closed", "disabled", "metrics_only"}
        if is_allowed:
            self.story.append(("acquired",))
        else:
            self.totals["not_permitted"] += 1
            self.speak("not_permitted", now_ns)
        return is_allowed

    def release(self, now_ns):
        self.pass_time(now_ns)
        self.story.append(("released",))

    def ignore(self, now_ns):
        self.release(now_ns)
        self.totals["ignored"] += 1
        self.speak("ignored_error", now_ns)

    def end(self, now_ns, took_ns, failed):
        self.pass_time(now_ns)
        slow = took_ns > self.settings.slow_call_ns
        self.totals["failed" if failed else "slow" if slow else "ok"] += 1
        state = self.state
        if state in {"disabled", "forced_open"}:
            return
        self.speak("error" if failed else "success", now_ns)
        self.story.append(("call", now_ns // NS, failed, slow))
        if state == "half_open":
            if len(self.counted(now_ns)) >= self.settings.permitted_half_open_count:
                self.enter("open" if self.reached(now_ns) else "closed", now_ns)
        elif state != "open" and self.reached(now_ns) and state == "closed":
            self.enter("open", now_ns)

    def counted(self, now_ns):
        chapter = self.chapter()
        calls = [entry for entry in chapter if entry[0] == "call"]
        if chapter[0][1] == "half_open":
            return calls
        size = self.settings.window_size
        if self.settings.window == "count":
            return calls[-size:]
        first_second = now_ns // NS - size + 1
        return [call for call in calls if call[1] >= first_second]

    def rates(self, now_ns):
        """Failure and slow-call rate in percent; -1 with too few calls."""
        settings, calls = self.settings, self.counted(now_ns)
        enough = settings.call_count_min
        if self.state == "half_open":
            enough = settings.permitted_half_open_count
        elif settings.window == "count" and enough > settings.window_size:
            enough = settings.window_size
        if len(calls) < enough:
            return -1.0, -1.0
        failed = len([call for call in calls if call[2]])
        slow = len([call for call in calls if call[3]])
        return 100.0 * failed / len(calls), 100.0 * slow / len(calls)

    def reached(self, now_ns):
        rates = self.rates(now_ns)
        thresholds = (
            self.settings.failure_rate_threshold,
            self.settings.slow_call_rate_threshold,
        )
        names = ("failure_rate_exceeded", "slow_call_rate_exceeded")
        found = False
        for name, rate, threshold in zip(names, rates, thresholds, strict=True):
            if rate >= threshold:
                found = True
                once = self.state == "metrics_only"
                if not (once and ("told", name) in self.chapter()):
                    self.story.append(("told", name))
                    self.speak(name, now_ns, rate)
        return found

    def command(self, state, now_ns):
        self.pass_time(now_ns)
        self.enter(state, now_ns)

    def reset(self, now_ns):
        self.command("closed", now_ns)
        self.said.append(("reset", now_ns, "closed", "closed", -1.0))

    def speak(self, kind, now_ns, rate=-1.0):
        state = self.state
        if state not in {"disabled", "forced_open"}:
            self.said.append((kind, now_ns, state, state, rate))
