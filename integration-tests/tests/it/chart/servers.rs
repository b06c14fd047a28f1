//! Private servers in place of those that the chart's values files name, and the Secrets that
//! such a cluster would hold. What is started over them is left to the test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use baton_testbed::{
    Authority, Rabbit, RabbitOptions, Redis, RedisCluster, RedisOptions, S3, SentinelOptions, Sentinels, Validity,
    free_port,
};

/// Names of files or keys, and what they hold.
pub(super) type Content = BTreeMap<String, String>;

/// The password of every login in the values files, and the one of the sentinels.
const PASSWORD: &str = "hush";
const SENTINEL_PASSWORD: &str = "watch";
/// Keys of the owner and of workers.
const OWNER: &str = "the-owners-key-of-32-random-signs";
const WORKERS: &str = "the-workers-key-of-32-random-signs";

/// What all values files share.
pub(super) struct Servers {
    pub(super) authority: Authority,
    rabbit: Rabbit,
    encrypted_rabbit: u16,
    /// One that lets nobody in who shows no certificate, and its encrypted port.
    strict: (Rabbit, u16),
    s3: S3,
    /// The files of a client's certificate and key.
    client: (PathBuf, PathBuf),
}

/// The Redis of one values file; it runs as long as this is kept.
#[derive(Default)]
pub(super) struct Stores {
    /// Where values files say it is, and where it is.
    pub(super) places: Vec<(String, String)>,
    _servers: Vec<Redis>,
    _sentinels: Option<Sentinels>,
    _cluster: Option<RedisCluster>,
}

impl Servers {
    pub(super) fn start() -> Self {
        let authority = Authority::new().unwrap();
        let encrypted_rabbit = free_port().unwrap();
        let config = authority.rabbit_config(encrypted_rabbit);
        let rabbit = Rabbit::start(RabbitOptions { config, ..RabbitOptions::default() }).unwrap();
        rabbit.ctl(&["add_vhost", "flows"]).unwrap();
        rabbit.ctl(&["add_user", "baton", PASSWORD]).unwrap();
        rabbit.ctl(&["set_permissions", "-p", "flows", "baton", ".*", ".*", ".*"]).unwrap();
        let client = authority.client(Validity::Now).unwrap();
        let strict = strict(&authority);
        Self { authority, rabbit, encrypted_rabbit, strict, s3: S3::start("blobs").unwrap(), client }
    }

    /// The RabbitMQ that the values file of that name wants.
    pub(super) fn rabbit(&self, file: &str) -> &Rabbit {
        match file {
            "rabbitmq-tls" | "certificates" | "mutual-tls" => &self.strict.0,
            _ => &self.rabbit,
        }
    }

    /// Where values files say servers are, and where they are.
    pub(super) fn places(&self) -> Vec<(String, String)> {
        let rabbit = self.rabbit.port();
        // The first node of the cluster is away.
        let away = free_port().unwrap();
        let local = |port: u16| format!("127.0.0.1:{port}");
        let places = [
            ("rabbitmq.data.svc:5672", local(rabbit)),
            ("rabbitmq.data.svc:5671", local(self.encrypted_rabbit)),
            ("strict.data.svc:5671", local(self.strict.1)),
            ("rabbitmq-0.data.svc:5672", local(away)),
            ("rabbitmq-1.data.svc:5672", local(rabbit)),
            ("minio.data.svc:9000", self.s3.url().replace("http://", "")),
        ];
        places.map(|(there, here)| (there.to_owned(), here)).to_vec()
    }

    /// The Redis that the values file of that name wants.
    pub(super) fn stores(&self, file: &str) -> Stores {
        match file {
            "passwords" => with_login(),
            "servers-tls" => self.encrypted("no"),
            "certificates" => self.encrypted("yes"),
            "sentinel" => self.behind_sentinels(),
            "cluster" => cluster(),
            _ => {
                let redis = Redis::start(RedisOptions::default()).unwrap();
                one("redis.data.svc:6379", redis.port(), redis)
            }
        }
    }

    /// `certified` says whether it wants to see a certificate.
    fn encrypted(&self, certified: &str) -> Stores {
        let port = free_port().unwrap();
        let mut args = self.authority.redis_args(port);
        args.extend(owned(&["--tls-auth-clients", certified]));
        one("redis.data.svc:6380", port, Redis::start(RedisOptions { args, ..RedisOptions::default() }).unwrap())
    }

    fn behind_sentinels(&self) -> Stores {
        let port = free_port().unwrap();
        let mut args = self.authority.redis_args(port);
        args.extend(owned(&["--requirepass", PASSWORD]));
        let login = owned(&["-a", PASSWORD, "--no-auth-warning"]);
        let primary = Redis::start(RedisOptions { args, login, ..RedisOptions::default() }).unwrap();
        let file = |path: &Path| path.display().to_string();
        let roots = file(&self.authority.roots());
        let lines = vec![
            "tls-port PORT".to_owned(),
            "tls-replication yes".to_owned(),
            format!("tls-ca-cert-file {roots}"),
            format!("tls-cert-file {}", file(&self.authority.certificate())),
            format!("tls-key-file {}", file(&self.authority.key())),
            "tls-auth-clients no".to_owned(),
            format!("requirepass {SENTINEL_PASSWORD}"),
            format!("sentinel sentinel-pass {SENTINEL_PASSWORD}"),
        ];
        let login = owned(&["--tls", "--cacert", &roots, "-a", SENTINEL_PASSWORD, "--no-auth-warning"]);
        let server_login = Some(("default".to_owned(), PASSWORD.to_owned()));
        let sentinels = Sentinels::start(port, 0, &SentinelOptions { lines, tls: true, login, server_login }).unwrap();
        let hosts = sentinels.hosts();
        let (hosts, _name) = hosts.split_once('/').unwrap();
        Stores {
            places: numbered("sentinel-", ".data.svc:26379", hosts),
            _servers: vec![primary],
            _sentinels: Some(sentinels),
            ..Stores::default()
        }
    }

    /// Every Secret that values files name.
    pub(super) fn secrets(&self) -> BTreeMap<String, Content> {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        let roots = read(&self.authority.roots());
        let (client, client_key) = (read(&self.client.0), read(&self.client.1));
        let (shown, shown_key) = (read(&self.authority.certificate()), read(&self.authority.key()));
        let rabbit = "amqp://guest:guest@rabbitmq.data.svc:5672/%2f";
        let encrypted_rabbit = "amqps://guest:guest@strict.data.svc:5671/%2f?ca_file=/etc/baton/rabbitmq-ca/ca.crt\
                                &cert_file=/etc/baton/rabbitmq-client/tls.crt&key_file=/etc/baton/rabbitmq-client/tls.key";
        let redis = "rediss://redis.data.svc:6380/0?ca_file=/etc/baton/redis-ca/ca.crt";
        BTreeMap::from([
            secret("baton-keys", &[("api-key", OWNER), ("cluster-secret", "sealed"), ("worker-api-key", WORKERS)]),
            secret("flows-keys", &[("owner", OWNER), ("seal", "sealed"), ("worker", WORKERS)]),
            secret("flows-redis", &[("password", PASSWORD)]),
            secret("flows-rabbitmq", &[("password", PASSWORD)]),
            secret("flows-crm", &[("token", "of the customers' system")]),
            secret("redis-login", &[("password", PASSWORD), ("watch", SENTINEL_PASSWORD)]),
            secret("redis-address", &[("address", redis)]),
            secret("redis-client", &[("tls.crt", client.as_str()), ("tls.key", client_key.as_str())]),
            secret("redis-tls", &[("ca.crt", roots.as_str())]),
            secret("rabbitmq-login", &[("password", "guest")]),
            secret("rabbitmq-address", &[("url", rabbit)]),
            secret("rabbitmq-encrypted", &[("address", encrypted_rabbit)]),
            secret("private-authority", &[("ca.crt", roots.as_str())]),
            secret("rabbitmq-client", &[("tls.crt", client.as_str()), ("tls.key", client_key.as_str())]),
            secret(
                "authorities",
                &["redis.pem", "rabbitmq.pem", "orchestrators.pem", "clients.pem"].map(|key| (key, roots.as_str())),
            ),
            secret("models", &[("openai", "of a model")]),
            secret("s3-account", &[("id", "test"), ("secret", "test")]),
            secret("s3-login", &[("access-key-id", "test"), ("secret-access-key", "test")]),
            secret(
                "baton-tls",
                &[("tls.crt", shown.as_str()), ("tls.key", shown_key.as_str()), ("ca.crt", roots.as_str())],
            ),
            secret("baton-clients", &[("ca.crt", roots.as_str())]),
            secret("baton-client-tls", &[("tls.crt", client.as_str()), ("tls.key", client_key.as_str())]),
        ])
    }

    /// Every ConfigMap that values files name and no chart makes.
    pub(super) fn maps(&self) -> BTreeMap<String, Content> {
        let roots = std::fs::read_to_string(self.authority.roots()).unwrap();
        BTreeMap::from([secret("private-authorities", &[("rabbitmq.crt", roots.as_str())])])
    }
}

/// A RabbitMQ that wants a certificate of whoever comes over TLS, and the port for that.
fn strict(authority: &Authority) -> (Rabbit, u16) {
    let port = free_port().unwrap();
    let lines = authority.rabbit_config(port).into_iter();
    let config = lines.map(|line| line.replace("verify_none", "verify_peer").replace("cert = false", "cert = true"));
    let options = RabbitOptions { config: config.collect(), ..RabbitOptions::default() };
    (Rabbit::start(options).unwrap(), port)
}

fn with_login() -> Stores {
    let args = ["--user", "baton", "on", ">hush", "~*", "&*", "+@all", "--user", "default", "off"];
    let login = ["--user", "baton", "--pass", PASSWORD, "--no-auth-warning"];
    let (args, login) = (owned(&args), owned(&login));
    let redis = Redis::start(RedisOptions { args, login, ..RedisOptions::default() }).unwrap();
    one("redis.data.svc:6379", redis.port(), redis)
}

fn cluster() -> Stores {
    let cluster = RedisCluster::start(&RedisOptions::default()).unwrap();
    let places = numbered("redis-", ".data.svc:6379", &cluster.hosts());
    Stores { places, _cluster: Some(cluster), ..Stores::default() }
}

fn secret(name: &str, keys: &[(&str, &str)]) -> (String, Content) {
    (name.to_owned(), keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

fn one(there: &str, port: u16, redis: Redis) -> Stores {
    Stores { places: vec![(there.to_owned(), format!("127.0.0.1:{port}"))], _servers: vec![redis], ..Stores::default() }
}

/// `HEAD0TAIL` for the first of the hosts, and so on.
fn numbered(head: &str, tail: &str, hosts: &str) -> Vec<(String, String)> {
    hosts.split(',').enumerate().map(|(number, host)| (format!("{head}{number}{tail}"), host.to_owned())).collect()
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
