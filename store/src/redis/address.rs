//! Addresses: one server, servers behind sentinels, or the nodes of a cluster, with what they
//! want to see of whoever comes. Who connects is left to `link`.
//!
//! A password stands in an address and nowhere else: no error of this module quotes what it
//! was given.

use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisResult,
    TlsCertificates,
};

use crate::Error;

/// Where a server listens when its address names no port, and a sentinel.
const PORT: u16 = 6_379;
const SENTINEL_PORT: u16 = 26_379;

/// An address that was read.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) place: Place,
    pub(super) tls: bool,
    /// Authorities and the certificate shown to servers; the system's authorities without.
    pub(super) certificates: Option<TlsCertificates>,
    /// Name, password and database for the servers.
    pub(super) login: RedisConnectionInfo,
    /// Name and password for the sentinels.
    pub(super) sentinel_login: RedisConnectionInfo,
}

/// Whom an address names.
#[derive(Clone)]
pub(super) enum Place {
    /// One server, as the client library reads it.
    One(Box<ConnectionInfo>),
    /// The primary of that name, which sentinels know.
    Sentinel { sentinels: Vec<(String, u16)>, master: String },
    /// Some nodes of a cluster; they know the others.
    Cluster(Vec<(String, u16)>),
}

impl Address {
    /// Reads an address, and the files it names.
    pub(super) fn read(url: &str) -> Result<Self, Error> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| unread("there is no scheme"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut options = Options::read(query)?;
        let certificates = options.certificates()?;
        let tls = scheme.starts_with("rediss");
        if certificates.is_some() && !tls {
            return Err(unread("certificates are named, but the scheme is one without TLS: use rediss"));
        }
        if tls {
            trusted_read(&rustls_native_certs::load_native_certs())?;
            // Nothing happens where the process has one already.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let (place, login) = match scheme {
            "redis" | "rediss" => {
                let kept = options.rest();
                let plain =
                    if kept.is_empty() { format!("{scheme}://{rest}") } else { format!("{scheme}://{rest}?{kept}") };
                let info = plain
                    .into_connection_info()
                    .map_err(|_| unread("use redis://[USER:PASSWORD@]HOST:PORT[/DATABASE]"))?;
                let login = info.redis_settings().clone();
                (Place::One(Box::new(info)), login)
            }
            "redis+sentinel" | "rediss+sentinel" => {
                let (login, hosts, path) = several(rest, SENTINEL_PORT)?;
                if path.is_empty() {
                    return Err(unread(
                        "use redis+sentinel://HOST:PORT,HOST:PORT,HOST:PORT/NAME, where NAME is the primary's",
                    ));
                }
                (Place::Sentinel { sentinels: hosts, master: decoded(path)? }, login)
            }
            "redis+cluster" | "rediss+cluster" => {
                let (login, hosts, path) = several(rest, PORT)?;
                if !path.is_empty() && path != "0" {
                    return Err(unread("a cluster has database 0 only"));
                }
                (Place::Cluster(hosts), login)
            }
            _ => return Err(unread("use redis, rediss, redis+sentinel or redis+cluster")),
        };
        let login = match options.take("db") {
            Some(db) => login.set_db(db.parse().map_err(|_| unread("db is no number"))?),
            None => login,
        };
        let sentinel_login = options.sentinel_login();
        if !matches!(place, Place::One(_)) && !options.rest().is_empty() {
            return Err(unread(
                "use the options ca_file, cert_file, key_file, db, sentinel_user and sentinel_password",
            ));
        }
        Ok(Self { place, tls, certificates, login, sentinel_login })
    }

    /// A client of the server there, with the login for servers.
    pub(super) fn server(&self, host: &str, port: u16) -> RedisResult<Client> {
        self.client(host, port, &self.login)
    }

    /// A client of the sentinel there.
    pub(super) fn sentinel(&self, host: &str, port: u16) -> RedisResult<Client> {
        self.client(host, port, &self.sentinel_login)
    }

    /// A client of whom an address of one server names.
    pub(super) fn one(&self, info: &ConnectionInfo) -> RedisResult<Client> {
        self.trusting(info.clone())
    }

    /// What a connection to a host takes.
    pub(super) fn info(&self, host: &str, port: u16, login: &RedisConnectionInfo) -> RedisResult<ConnectionInfo> {
        let host = host.to_owned();
        let addr = if self.tls {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        Ok(addr.into_connection_info()?.set_redis_settings(login.clone()))
    }

    fn client(&self, host: &str, port: u16, login: &RedisConnectionInfo) -> RedisResult<Client> {
        self.trusting(self.info(host, port, login)?)
    }

    fn trusting(&self, info: ConnectionInfo) -> RedisResult<Client> {
        match &self.certificates {
            Some(certificates) => Client::build_with_tls(info, certificates.clone()),
            None => Client::open(info),
        }
    }
}

/// Hosts and their ports.
type Hosts = Vec<(String, u16)>;

/// Login, hosts and path of an address of several.
fn several(rest: &str, port: u16) -> Result<(RedisConnectionInfo, Hosts, &str), Error> {
    let (login, rest) = rest.rsplit_once('@').map_or((None, rest), |(login, rest)| (Some(login), rest));
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut found = RedisConnectionInfo::default();
    if let Some((user, password)) = login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
        if !user.is_empty() {
            found = found.set_username(decoded(user)?);
        }
        found = found.set_password(decoded(password)?);
    }
    let mut list = Vec::new();
    for text in hosts.split(',') {
        list.push(host(text, port).ok_or_else(|| unread("a host is missing or its port is no number"))?);
    }
    Ok((found, list, path))
}

/// `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`.
fn host(text: &str, port: u16) -> Option<(String, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, digits)) if !digits.ends_with(']') => (host, digits.parse().ok()?),
        _ => (text, port),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

/// What stands behind the question mark.
struct Options(Vec<(String, String)>);

impl Options {
    fn read(query: &str) -> Result<Self, Error> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.map(|(name, value)| Ok((name.to_owned(), decoded(value)?))).collect::<Result<_, _>>().map(Self)
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    fn certificates(&mut self) -> Result<Option<TlsCertificates>, Error> {
        let mut file = |name: &str| {
            let path = self.take(name);
            path.map(|path| std::fs::read(&path).map_err(|error| unread(&format!("{name} {path}: {error}"))))
                .transpose()
        };
        let (root_cert, certificate, key) = (file("ca_file")?, file("cert_file")?, file("key_file")?);
        let client_tls = match (certificate, key) {
            (Some(client_cert), Some(client_key)) => Some(ClientTlsConfig { client_cert, client_key }),
            (None, None) => None,
            _ => return Err(unread("cert_file and key_file go together")),
        };
        let any = root_cert.is_some() || client_tls.is_some();
        Ok(any.then_some(TlsCertificates { client_tls, root_cert }))
    }

    fn sentinel_login(&mut self) -> RedisConnectionInfo {
        let mut login = RedisConnectionInfo::default();
        if let Some(user) = self.take("sentinel_user") {
            login = login.set_username(user);
        }
        if let Some(password) = self.take("sentinel_password") {
            login = login.set_password(password);
        }
        login
    }

    /// What nobody took.
    fn rest(&self) -> String {
        let own = ["db", "sentinel_user", "sentinel_password"];
        let rest = self.0.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        rest.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }
}

/// A text with its `%20`s written out.
fn decoded(text: &str) -> Result<String, Error> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
            return Err(unread("a % is not followed by two hexadecimal digits"));
        };
        bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
    }
    String::from_utf8(bytes).map_err(|_| unread("it is no UTF-8"))
}

/// Whom the machine trusts must read as a whole: where a folder or a file of it does not, the
/// client library refuses every connection, whatever else would do, and says so at the first.
fn trusted_read(found: &rustls_native_certs::CertificateResult) -> Result<(), Error> {
    let Some(error) = found.errors.first() else { return Ok(()) };
    Err(Error::Broken(format!(
        "trust_unreadable: not all certificates that this machine trusts can be read: {error}; \
         let SSL_CERT_FILE and SSL_CERT_DIR name files and folders that are there"
    )))
}

fn unread(why: &str) -> Error {
    Error::Broken(format!("the store's address does not read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        Address::read(url).err().expect("refused").to_string()
    }

    #[test]
    fn sentinels_have_a_name_to_ask_for_and_a_login_of_their_own() {
        let url = "redis+sentinel://us%40er:p%3Aw@one:1,[::1]:2,three/prime?db=4&sentinel_password=s";
        let address = Address::read(url).expect("an address");
        let Place::Sentinel { sentinels, master } = &address.place else { panic!("no sentinels") };
        let hosts = [("one".to_owned(), 1), ("::1".to_owned(), 2), ("three".to_owned(), 26_379)];
        assert_eq!((sentinels.as_slice(), master.as_str(), address.tls), (hosts.as_slice(), "prime", false));
        let login = (address.login.username(), address.login.password(), address.login.db());
        assert_eq!(login, (Some("us@er"), Some("p:w"), 4));
        assert_eq!((address.sentinel_login.username(), address.sentinel_login.password()), (None, Some("s")));
    }

    #[test]
    fn a_cluster_has_nodes_and_one_database() {
        let address = Address::read("rediss+cluster://one:1,two").expect("an address");
        assert!(address.tls && matches!(&address.place, Place::Cluster(nodes) if nodes.len() == 2));
        assert!(refused("redis+cluster://one:1/3").contains("database 0"));
    }

    #[test]
    fn what_is_wrong_is_said_without_what_was_given() {
        let urls = [
            "redis+sentinel://u:hush@one:1",
            "redis+sentinel://u:hush@one:x/prime",
            "redis+cluster://u:hush@one:1?hush=hush",
            "redis://u:hush@[",
            "http://u:hush@one",
            "redis://u:hush@one?ca_file=/nowhere/ca.pem",
            "rediss://u:hush@one?ca_file=/nowhere/ca.pem",
        ];
        for url in urls {
            let error = refused(url);
            assert!(!error.contains("hush") && error.contains("does not read"), "{url}: {error}");
        }
    }
}
