//! Every setting of every program, by what it is about.

use super::{Otherwise, Program, Setting, Takes, Topic};

macro_rules! otherwise {
    (= $text:literal) => {
        Otherwise::Value($text)
    };
    (~ $text:literal) => {
        Otherwise::Words($text)
    };
    (none) => {
        Otherwise::Nothing
    };
}

/// `NAME [programs] Takes (default) "help";`, where a default is `= "a value"`, `~ "words"` or `none`.
macro_rules! settings {
    ($($topic:ident {
        $($name:ident [$($of:ident)+] $takes:ident ($($otherwise:tt)+) $help:literal;)+
    })+) => {
        /// Every setting of every program, so that programs can share an environment and a file.
        pub const SETTINGS: &[Setting] = &[$($(Setting {
            name: stringify!($name),
            topic: Topic::$topic,
            of: &[$(Program::$of),+],
            takes: Takes::$takes,
            otherwise: otherwise!($($otherwise)+),
            help: $help,
        },)+)+];
    };
}

settings! {
    Places {
        BATON_STORE [Orchestrator] Url (= "redis://127.0.0.1:6379")
            "The store: `redis://…`, `redis+sentinel://…`, `redis+cluster://…` (`rediss` for TLS), `sqlite:FOLDER` or `memory:`";
        BATON_BROKER [Orchestrator Worker] Url (= "amqp://127.0.0.1:5672/%2f")
            "The broker: `amqp://…` or `amqps://…`, hosts of a cluster with commas; for an orchestrator also `memory:`";
        BATON_BLOBS [Orchestrator Worker] Url (~ "orchestrator: `file:` and the folder `blobs` of `BATON_DATA_DIR`; worker: none")
            "Large values and files: `file:FOLDER`, `s3://BUCKET/PREFIX?endpoint=URL&region=NAME` or `memory:`; a worker that \
             names none sends large content to signed addresses or through an orchestrator";
        BATON_GRPC_ADDR [Orchestrator Cli] Listen (= "127.0.0.1:7420")
            "Where gRPC is served; port 0 chooses a free one";
        BATON_HTTP_ADDR [Orchestrator Cli] ListenOrOff (~ "127.0.0.1:7421; a free port where gRPC's is 0")
            "Where HTTP is served, with metrics and probes; port 0 chooses a free one";
        BATON_METRICS_ADDR [Worker] ListenOrOff (~ "0.0.0.0:7422, where it is free")
            "Where a worker serves metrics";
        BATON_ORCHESTRATOR [Worker Cli] Url (= "http://127.0.0.1:7420")
            "The orchestrators, with commas between: `https://…` for TLS";
        BATON_DATA_DIR [Orchestrator Worker Cli] Folder (~ "`.baton`; of `baton` the folder `baton` in `XDG_DATA_HOME` or `~/.local/share`")
            "Where an orchestrator keeps files unless `BATON_BLOBS` says so, a worker its spool and its probe's file, \
             `baton run` and `baton dev` everything";
        BATON_ADDR_FILE [Orchestrator Cli] File (none)
            "Where the bound address of gRPC is written, and that of HTTP with `.http` behind, for programs that wait for it";
    }
    Identity {
        BATON_API_KEY [Orchestrator Worker Cli] Secret (none)
            "The key that a worker and `baton` show; of an orchestrator and `baton dev` the one key of the server's owner";
        BATON_WORKER_KEY [Orchestrator] Secret (none)
            "A key that lets workers in and opens nothing else; at least 32 random characters";
        BATON_CLUSTER_SECRET [Orchestrator Cli] Secret (none)
            "Seals permits and tokens of jobs; the same on every orchestrator";
        BATON_TLS_CERT [Orchestrator Cli] File (none)
            "The certificate that gRPC and HTTP show, with its chain, in PEM; read again when it changes; in the clear without";
        BATON_TLS_KEY [Orchestrator Cli] File (none)
            "Its private key, in PEM";
        BATON_TLS_CLIENT_CA [Orchestrator Cli] File (none)
            "Who vouches for clients, in PEM: only clients with a certificate of theirs then come in";
        BATON_TLS_CA [Orchestrator Worker Cli] File (~ "whom the machine trusts")
            "By whom `https://` addresses of orchestrators are trusted, in PEM; of an orchestrator, for its own probe";
        BATON_TLS_CLIENT_CERT [Orchestrator Worker Cli] File (none)
            "The certificate shown to a server that asks for one, in PEM";
        BATON_TLS_CLIENT_KEY [Orchestrator Worker Cli] File (none)
            "Its private key, in PEM";
        BATON_TLS_NAME [Orchestrator Worker Cli] Text (~ "the host of the address")
            "The name in the server's certificate, where it is not the one in the address";
    }
    Bounds {
        BATON_ADVANCES_MAX [Orchestrator] Count (= "256")
            "Runs that are advanced at once";
        BATON_WATCHES_MAX [Orchestrator] Count (= "1000")
            "Runs that a tenant watches at once";
        BATON_ADMISSION_FILL_PERCENT [Orchestrator] Percent (= "80")
            "No more runs are taken while the store uses so much of its room; 0 takes all";
        BATON_BACKLOG_MAX [Orchestrator] Count (= "0")
            "No more runs are taken while more jobs than this wait for workers; 0 takes all";
        BATON_LANE_SHARE [Orchestrator] Count (= "4")
            "Messages of a tenant that may wait in the lane all tenants share, in each queue; those beyond wait beside it";
        BATON_CONNECTION_AGE_MS [Orchestrator] Milliseconds (= "1800000")
            "A gRPC connection is asked to end after this long, so that clients spread over new replicas; 0 lets it stay";
        BATON_GRACE_MS [Orchestrator Cli] Milliseconds (~ "25000; 5000 under `baton run` and `baton dev`")
            "How long calls and steps under way may take after a signal";
        BATON_BLOB_SWEEP_MS [Orchestrator Cli] Milliseconds (~ "21600000 (6 hours); 0 under `baton run` and `baton dev`")
            "How often blobs that nothing refers to, and archives whose time is over, are deleted; 0 is never";
        BATON_BLOB_GRACE_MS [Orchestrator] Milliseconds (= "86400000")
            "Blobs younger than this are not deleted; two hours at least";
        BATON_ARCHIVE_MS [Orchestrator Cli] Milliseconds (~ "7776000000 (90 days); 0 under `baton run` and `baton dev`")
            "How long what is written down of removed runs is kept; 0 writes nothing down";
        BATON_SWEEP [Orchestrator] Switch (= "1")
            "Whether this orchestrator takes up what others left behind; 0 only where another one does";
    }
    Work {
        BATON_SLOTS [Worker] Count (~ "64 for io, one for each core for cpu")
            "Jobs at once";
        BATON_QUEUES [Worker] Names (none)
            "Queues beyond those of the class, such as `cap.gpu`";
        BATON_QUEUES_ONLY [Worker] Switch (= "0")
            "Whether it takes from those in `BATON_QUEUES` alone, and from none of its class";
        BATON_CPU_NICE [Worker] Count (= "10")
            "How much cpu threads yield to the rest of the machine, from 0 to 19";
        BATON_DRAIN_MS [Worker] Milliseconds (= "20000")
            "Jobs may go on this long after a signal";
        BATON_CALL_TIMEOUT_MS [Worker] Milliseconds (= "5000")
            "A call without an answer is repeated after this long";
        BATON_BACKOFF_MS_MAX [Worker] Milliseconds (= "5000")
            "The longest pause before a call is repeated";
        BATON_BLOB_BYTES_MAX [Worker] Bytes (= "1073741824")
            "The largest result or file that a tool makes piece by piece";
        BATON_FILE_ROOTS [Worker Cli] Folders (~ "`roots` of `[files]`")
            "Folders that file tools may read; `baton run` adds the current one and those its input names";
        BATON_DEBUG_TOOLS [Worker Cli] Switch (= "0")
            "Whether the `debug.*` tools are offered";
        BATON_DEBUG_DIR [Worker Cli] Folder (none)
            "Where `debug.ledger` writes";
    }
    Process {
        BATON_CONFIG [Orchestrator Worker Cli] File (~ "`baton.toml` in the folder it was started in, where there is one")
            "The settings file";
        BATON_TRACE_RATIO [Orchestrator Worker Cli] Share (= "1")
            "The share of runs that spans are kept of, where a collector is named; the same on every orchestrator";
        BATON_LOG [Orchestrator Worker Cli] Text (~ "`info`; of `baton dev` `warn`, of other commands `off`")
            "Which log lines are written: a level, or `target=level`, with commas between";
    }
    Drills {
        BATON_FAIL [Orchestrator Worker Cli] Text (none)
            "Points at which the process fails, for drills: `after_claim:crash`; from the environment only";
        BATON_SABOTAGE [Orchestrator] Text (none)
            "The check that is left out, for drills; refused by releases";
        BATON_READER [Orchestrator] Count (none)
            "The version of records it takes itself for, for drills; refused by releases";
    }
}
