import CHiredis
import CPostgres
import CSystemd
import LikesCore
print(PQlibVersion(), REDIS_OK, sd_notify(0, "READY=1"))
