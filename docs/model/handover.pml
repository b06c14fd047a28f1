/* The hand-over, as a model that spin checks whole: docs/model/README.md says what it covers.
 *
 * One run with three groups: 0 a map of JOBS jobs (window, quorum), 1 one question with an
 * expiry, 2 one detached call. Orchestrators, workers, the broker, the clock and people are
 * processes; every transition of the store is one atomic block. Whatever can go wrong costs
 * one unit of a budget, so that a check is finite and sees every order of events within it. */

#ifndef JOBS
#define JOBS 2           /* jobs of the map, one to three */
#endif
#ifndef WINDOW
#define WINDOW 1         /* how many of them are under way at once */
#endif
#ifndef QUORUM
#define QUORUM JOBS      /* successes that close the map */
#endif
#ifndef QUESTION
#define QUESTION 1       /* 1: a question is open beside the map */
#endif
#ifndef CALL
#define CALL 0           /* a detached call, made 1: when the map is folded, 2: by the last step */
#endif
#ifndef ONCE
#define ONCE 0           /* 1: job 0 must not run twice */
#endif
#ifndef PHASES
#define PHASES 0         /* 1: job 0 asks a question in the middle of its work */
#endif
#ifndef CANCELS
#define CANCELS 0
#endif
#ifndef CRASHES
#define CRASHES 1        /* orchestrators that die between two transitions */
#endif
#ifndef DEATHS
#define DEATHS 1         /* workers that die before or after they worked */
#endif
#ifndef LOSSES
#define LOSSES 1         /* messages that vanish */
#endif
#ifndef REPEATS
#define REPEATS 1        /* messages delivered twice */
#endif
#ifndef AGAIN
#define AGAIN 1          /* results offered twice, because the reply was lost */
#endif
#ifndef EARLY
#define EARLY 1          /* sweeps and ends of leases that come too early */
#endif
#ifndef ERRORS
#define ERRORS 1         /* attempts that end in an error */
#endif
#ifndef ORCHESTRATORS
#define ORCHESTRATORS 2
#endif
#ifndef WORKERS
#define WORKERS 2
#endif

#define ATTEMPTS 2       /* of a job, the first included */
#define LOST_MAX 3       /* workers a job may lose */
#define ASK  JOBS        /* the question's task */
#define TELL (JOBS + 1)  /* the detached call's */
#define TASKS (JOBS + 2)

mtype:task = { absent, held, publishable, dispatched, claimed, parked, unsure, done, failed, dropped };
mtype:group = { unopened, open, closed, folded };
mtype:life = { running, cancelling, ended };
mtype:question = { unasked, asked, answered, expired, withdrawn };

#define group_of(t) ((t) < JOBS -> 0 : (t) - JOBS + 1)
#define first_of(g) ((g) == 0 -> 0 : JOBS + (g) - 1)
#define after_of(g) ((g) == 0 -> JOBS : JOBS + (g))
#define need_of(g)  ((g) == 0 -> QUORUM : 1)
#define over(t)     (task[t] == done || task[t] == failed || task[t] == dropped)
#define may_work(t) ((t) == TELL || status == running)

/* What the store keeps. */
mtype:life status = running;
byte version;
bool ready = true;                     /* due: the run is to be computed */
bool must_end;                         /* due: the end of a cancelled run */
mtype:group group[2];
byte oks[2], fails[2], drops[2];
mtype:task task[TASKS];
byte dispatch[TASKS], fence[TASKS], errors[TASKS], lost[TASKS], phase[TASKS];
bool due[3];                           /* due: a group has something to publish */
bool lapsed[TASKS];                    /* the lease is over */
mtype:question question[TASKS];

/* What is under way between the processes. */
bool told;                             /* somebody was told that a group closed */
byte computing, publishing[TASKS], messages[TASKS];
bool alive[TASKS];                     /* the worker of the newest fence lives */

/* What really happened, which no process may look at. */
byte worked, called, advanced, endings, decided[TASKS];
bool made, cancel_told;

byte crashes = CRASHES, deaths = DEATHS, losses = LOSSES, repeats = REPEATS, again = AGAIN,
     early = EARLY, mistakes = ERRORS, cancels = CANCELS;

hidden byte i, g, n, k;
hidden byte last;

/* ---- parts of transitions ---- */

inline release(t) {
   if
   :: t == ASK -> task[ASK] = parked; question[ASK] = asked
   :: else -> task[t] = publishable; dispatch[t]++; due[group_of(t)] = true
   fi
}

inline drop(t) {
   if :: question[t] == asked -> question[t] = withdrawn :: else fi;
   task[t] = dropped; drops[group_of(t)]++
}

inline drop_rest(which) {
   i = first_of(which);
   do
   :: i < after_of(which) -> if :: !over(i) -> drop(i) :: else fi; i++
   :: else -> break
   od
}

inline settled(which) {                /* nothing of a folded group goes on */
   i = first_of(which);
   do
   :: i < after_of(which) -> assert(over(i)); i++
   :: else -> break
   od
}

inline recount(which) {                /* counters equal tasks */
   n = 0; k = 0; i = first_of(which);
   do
   :: i < after_of(which) ->
      if :: task[i] == done -> n++ :: task[i] == failed -> k++ :: else fi; i++
   :: else -> break
   od;
   assert(n == oks[which] && k == fails[which])
}

/* The end that all ends of tasks share. */
inline tail(t, how) {
   if :: question[t] == asked -> question[t] = withdrawn :: else fi;
   task[t] = how; lapsed[t] = false; alive[t] = false;
   if
   :: t == TELL
   :: else ->
      g = group_of(t);
      if :: how == done -> oks[g]++ :: how == failed -> fails[g]++ :: else -> drops[g]++ fi;
      if
      :: status == running && group[g] == open ->
         if
         :: oks[g] >= need_of(g) || fails[g] > 0 || oks[g] + fails[g] + drops[g] == after_of(g) - first_of(g) ->
            group[g] = closed;
#ifndef WITHOUT_DROP
            drop_rest(g);
#endif
            told = true;
#ifndef WITHOUT_READY
            ready = true
#endif
         :: else ->
#ifndef WITHOUT_RELEASE
            i = first_of(g);
            do
            :: i < after_of(g) && task[i] == held -> release(i); break
            :: i < after_of(g) && task[i] != held -> i++
            :: else -> break
            od
#else
            skip
#endif
         fi;
         recount(g)
      :: else
      fi
   fi
}

inline requeue(t) { task[t] = publishable; dispatch[t]++; lapsed[t] = false; alive[t] = false; due[group_of(t)] = true }

inline worker_lost(t) {
   if
   :: t != TELL && status == cancelling -> tail(t, dropped)
   :: may_work(t) && t == 0 && ONCE == 1 ->
#ifndef WITHOUT_ONCE
      task[0] = unsure; lapsed[0] = false; question[0] = asked
#else
      requeue(t)
#endif
   :: else -> lost[t]++;
      if :: lost[t] >= LOST_MAX -> tail(t, failed) :: else -> requeue(t) fi
   fi
}

inline finish() {                      /* the last step of a run */
   status = ended; endings++; ready = false; must_end = false; told = false;
   assert(endings == 1);
   g = 0;
   do
   :: g < 2 -> drop_rest(g); if :: group[g] != unopened -> group[g] = folded :: else fi; g++
   :: else -> break
   od;
   if :: CALL == 2 -> release(TELL); made = true :: else fi
}

#define closed_now ((group[0] == closed -> 1 : 0) + (group[1] == closed -> 2 : 0))

/* ADVANCE, of somebody who saw this version and these closed groups. */
inline advance(seen, which) {
   if
#ifndef WITHOUT_VERSION
   :: status == ended || seen != version
   :: status != ended && seen == version ->
#else
   :: status == ended || (seen > 0 && status == running && which == 0)
   :: status != ended && !(seen > 0 && status == running && which == 0) ->
#endif
      assert((advanced >> seen) % 2 == 0); advanced = advanced + (1 << seen);
      version++;
      if
      :: status == cancelling -> finish()
      :: status == running && seen == 0 ->
         group[0] = open; i = 0;
         do
         :: i < JOBS -> if :: i < WINDOW -> release(i) :: else -> task[i] = held fi; i++
         :: else -> break
         od;
         if :: QUESTION == 1 -> group[1] = open; release(ASK) :: else -> group[1] = folded fi;
         ready = false
      :: else ->
         last = (which & 1 && oks[0] < QUORUM) || (which & 2 && oks[1] == 0);
         if
         :: which & 1 -> assert(group[0] == closed); group[0] = folded; settled(0);
            if :: CALL == 1 -> release(TELL); made = true :: else fi
         :: else
         fi;
         if :: which & 2 -> assert(group[1] == closed); group[1] = folded; settled(1) :: else fi;
         if
         :: last || (group[0] == folded && group[1] == folded) -> finish()
#ifndef WITHOUT_STAY
         :: else -> ready = (closed_now != 0)
#else
         :: else -> ready = false
#endif
         fi
      fi
   fi
}

/* ---- processes ---- */

#define to_compute (status != ended && ((told && status == running) || \
                    (((ready && status == running) || must_end) && (computing == 0 || early > 0))))
#define to_publish(t) (task[t] == publishable && due[group_of(t)] && may_work(t) && messages[t] < 2 && \
                       (publishing[t] == 0 || early > 0))

proctype orchestrator() {
   byte t, seen, which;
end:
   do
   :: atomic { to_compute ->
         if :: told -> told = false :: !told && computing > 0 -> early-- :: else fi;
         computing++; seen = version; which = closed_now }
      if
      :: atomic { computing--; advance(seen, which); seen = 0; which = 0 }
      :: atomic { crashes > 0 -> crashes--; computing--; seen = 0; which = 0 }
      fi
   :: atomic {
         if
         :: to_publish(0) -> t = 0
         :: JOBS > 1 && to_publish(1 % TASKS) -> t = 1
         :: JOBS > 2 && to_publish(2 % TASKS) -> t = 2
         :: to_publish(TELL) -> t = TELL
         fi;
         if :: publishing[t] > 0 -> early-- :: else fi;
         publishing[t]++; seen = dispatch[t] }
      if
      :: atomic { messages[t]++ }
         if
         :: atomic { publishing[t]--;  /* MARK, of the dispatch that was read */
               if
               :: task[t] == publishable && dispatch[t] == seen -> task[t] = dispatched;
                  due[group_of(t)] = false; i = first_of(group_of(t));
#ifndef WITHOUT_OTHERS
                  do
                  :: i < after_of(group_of(t)) -> if :: task[i] == publishable -> due[group_of(t)] = true :: else fi; i++
                  :: else -> break
                  od
#endif
               :: else
               fi;
               t = 0; seen = 0 }
         :: atomic { crashes > 0 -> crashes--; publishing[t]--; t = 0; seen = 0 }
         fi
      :: atomic { crashes > 0 -> crashes--; publishing[t]--; t = 0; seen = 0 }
      fi
   od
}

/* A result belongs to the phase it was made for: the phase is part of the digest. */
#ifndef WITHOUT_DIGEST
#define fits(t) (phase[t] == stage)
#else
#define fits(t) true
#endif

/* Ends and pauses but for success are taken from whoever holds the lease. */
#ifndef WITHOUT_FENCE
#define holds(t) (own == fence[t] && (task[t] == claimed || task[t] == unsure))
#else
#define holds(t) true
#endif

/* Whether the end of the run stops the task: detached calls outlive it. */
#if defined(WITHOUT_DETACHED)
#define outlives(t) false
#elif defined(WITHOUT_STOP)
#define outlives(t) true
#else
#define outlives(t) ((t) == TELL)
#endif

mtype:outcome = { fine, wrong, asks };

inline record(t) {
   if
   :: t != TELL && status == ended
   :: (t == TELL || status != ended) && (task[t] == absent || task[t] == held)
   :: (t == TELL || status != ended) && over(t) ->
#ifndef WITHOUT_DEDUP
      skip
#else
      if :: t != TELL && result == fine -> oks[group_of(t)]++; recount(group_of(t)) :: else fi
#endif
   :: (t == TELL || status != ended) && !over(t) && task[t] != absent && task[t] != held ->
      if
      :: !fits(t)
      :: fits(t) && result == fine -> assert(phase[t] == stage); tail(t, done)
      :: fits(t) && result != fine && !holds(t)
      :: fits(t) && result != fine && holds(t) ->
         if
         :: t != TELL && status == cancelling -> tail(t, dropped)
         :: may_work(t) && result == asks ->
            task[t] = parked; phase[t]++; lapsed[t] = false; alive[t] = false;
            assert(question[t] == unasked); question[t] = asked
         :: may_work(t) && result == wrong ->
            errors[t]++; assert(errors[t] <= fence[t]);  /* an attempt counts once */
            if
            :: errors[t] < ATTEMPTS && !(t == 0 && ONCE == 1) -> requeue(t)
            :: else -> tail(t, failed)
            fi
         fi
      fi
   fi
}

inline die(t) { deaths--; if :: fence[t] == own -> alive[t] = false :: else fi }
inline forget() { t = 0; own = 0; stage = 0 }

proctype worker() {
   byte t, own, stage;
   mtype:outcome result;
end:
   do
   :: atomic {                         /* take a message, CLAIM, acknowledge */
         if
         :: messages[0] > 0 -> t = 0
         :: JOBS > 1 && messages[1 % TASKS] > 0 -> t = 1
         :: JOBS > 2 && messages[2 % TASKS] > 0 -> t = 2
         :: messages[TELL] > 0 -> t = TELL
         fi;
         if :: messages[t]-- :: repeats > 0 -> repeats-- fi;
         if
         :: !outlives(t) && status != running -> assert(t != TELL || over(TELL))
         :: (outlives(t) || status == running) && task[t] == claimed && lapsed[t] -> worker_lost(t)
         :: (outlives(t) || status == running) && (task[t] == publishable || task[t] == dispatched) ->
            assert(t == TELL || !cancel_told);
            fence[t]++; task[t] = claimed; lapsed[t] = false; alive[t] = true;
            own = fence[t]; stage = phase[t]
         :: else
         fi;
         if :: own == 0 -> t = 0; goto end :: else fi }
      if
      :: atomic {                      /* it works */
            if :: t == 0 -> worked = 1 + (worked > 0); assert(ONCE == 0 || worked == 1) :: t == TELL -> called = 1 :: else fi;
            if
            :: result = fine
            :: mistakes > 0 -> mistakes--; result = wrong
            :: PHASES == 1 && t == 0 && stage == 0 -> result = asks
            fi }
      :: atomic { deaths > 0 -> die(t); forget(); goto end }
      fi;
offer:
      if
      :: atomic { record(t); if :: again > 0 -> again--; goto offer :: true -> forget() fi }
      :: atomic { deaths > 0 -> die(t); forget() }
      fi
   od
}

/* The broker's losses, the sweeper, the clock and people, for one task. */
proctype surroundings(byte t) {
end:
   do
   :: atomic { losses > 0 && messages[t] > 0 -> losses--; messages[t]-- }
   :: atomic { task[t] == claimed && !lapsed[t] && (!alive[t] || early > 0) ->
         if :: alive[t] -> early-- :: else fi; lapsed[t] = true }
#ifndef WITHOUT_SWEEP
   :: atomic { task[t] == claimed && lapsed[t] && (t == TELL || status != ended) -> worker_lost(t) }
   :: atomic { task[t] == dispatched && may_work(t) && ((messages[t] == 0 && publishing[t] == 0) || early > 0) ->
         if :: messages[t] > 0 || publishing[t] > 0 -> early-- :: else fi; requeue(t) }
#endif
   :: atomic { t == ASK && question[ASK] == asked -> question[ASK] = expired; tail(ASK, failed) }
#ifndef WITHOUT_OPEN
   :: atomic { question[t] == asked ->
#else
   :: atomic { question[t] == asked || (question[t] == expired && decided[t] == 0) ->
#endif
         assert(task[t] == parked || task[t] == unsure);
         assert(decided[t] == 0 || t != ASK); decided[t] = 1;
         question[t] = answered;
         if
         :: task[t] == unsure -> if :: true -> tail(t, done) :: true -> tail(t, failed) fi
         :: t == ASK && task[t] == parked -> tail(t, done)
         :: else -> requeue(t)
         fi }
   od
}

proctype world() {
end:
   do
   :: atomic { crashes > 0 && told -> crashes--; told = false }
   :: atomic { cancels > 0 && status == running -> cancels--;
         status = cancelling; version++; must_end = true; ready = false; told = false; cancel_told = true;
         i = 0;
#ifndef WITHOUT_STOP
         do
         :: i < TELL ->
            if
            :: task[i] == absent || task[i] == claimed || over(i)
            :: else -> if :: question[i] == asked -> question[i] = withdrawn :: else fi;
               task[i] = dropped; drops[group_of(i)]++
            fi; i++
         :: else -> break
         od
#endif
         }
   od
}

/* When nothing more can happen, nobody was forgotten. */
proctype judge() {
   atomic { timeout ->
      assert(status == ended || question[ASK] == asked || question[0] == asked);
      assert(status != ended || (question[ASK] != asked && question[0] != asked));
      assert(!made || called == 1) }
}

init {
   atomic {
      i = 0;
      do :: i < TASKS -> task[i] = absent; question[i] = unasked; i++ :: else -> break od;
      group[0] = unopened; group[1] = unopened; i = 0;
      do :: i < ORCHESTRATORS -> run orchestrator(); i++ :: else -> break od; i = 0;
      do :: i < WORKERS -> run worker(); i++ :: else -> break od; i = 0;
      do :: i < JOBS -> run surroundings(i); i++ :: else -> break od;
      if :: QUESTION == 1 -> run surroundings(ASK) :: else fi;
      if :: CALL > 0 -> run surroundings(TELL) :: else fi;
      run world(); run judge()
   }
}
