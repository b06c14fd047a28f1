//! RabbitMQ, quorum and classic: the suite over one private server, a virtual host each.

use std::sync::OnceLock;
use std::time::Duration;

use baton_broker::rabbit::{QueueType, Rabbit, RabbitOptions};
use baton_testbed as testbed;

/// The server that no test harms. Its guard ends it with this process.
pub(crate) fn server() -> &'static testbed::Rabbit {
    static SERVER: OnceLock<testbed::Rabbit> = OnceLock::new();
    SERVER.get_or_init(|| testbed::Rabbit::start(testbed::RabbitOptions::default()).unwrap())
}

/// Options for an empty virtual host of the shared server.
pub(crate) async fn options() -> RabbitOptions {
    let url = tokio::task::spawn_blocking(|| server().url(&server().new_vhost().unwrap())).await.unwrap();
    RabbitOptions::parse(&url).unwrap()
}

pub(crate) async fn connect(options: RabbitOptions) -> Rabbit {
    Rabbit::connect(options, Duration::from_secs(30)).await.unwrap()
}

mod quorum {
    async fn fresh() -> super::Rabbit {
        super::connect(super::options().await).await
    }

    baton_broker::broker_suite!(fresh);

    #[tokio::test]
    async fn a_message_that_comes_back_too_often_is_dead() {
        baton_broker::suite::a_message_that_comes_back_too_often_is_dead(&fresh().await).await;
    }
}

mod classic {
    async fn fresh() -> super::Rabbit {
        let mut options = super::options().await;
        options.queue_type = super::QueueType::Classic;
        super::connect(options).await
    }

    baton_broker::broker_suite!(fresh);
}
