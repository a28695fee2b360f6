import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.apache.kafka.connect.runtime.distributed.ConnectProtocol;
import org.apache.kafka.connect.runtime.distributed.ExtendedAssignment;
import org.apache.kafka.connect.runtime.distributed.ExtendedWorkerState;
import org.apache.kafka.connect.runtime.distributed.IncrementalCooperativeConnectProtocol;
import org.apache.kafka.connect.util.ConnectorTaskId;

/** Reads cases from standard input; writes, for each, Kafka's blobs of it and what Kafka reads in ours. */
public class ConnectProtocolBlobs {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        ArrayNode answers = JSON.createArrayNode();
        for (JsonNode node : JSON.readTree(System.in)) {
            ExtendedAssignment assignment = assignment(node);
            ExtendedWorkerState state = new ExtendedWorkerState("http://worker:8083/", 42, assignment);
            ObjectNode answer = answers.addObject();
            answer.put("assignment.0", text(ConnectProtocol.serializeAssignment(assignment)));
            answer.put("metadata.0", text(ConnectProtocol.serializeMetadata(state)));
            for (int version = 1; version <= 2; version++) {
                boolean sessioned = version == 2;
                answer.put("assignment." + version,
                    text(IncrementalCooperativeConnectProtocol.serializeAssignment(assignment, sessioned)));
                answer.put("metadata." + version,
                    text(IncrementalCooperativeConnectProtocol.serializeMetadata(state, sessioned)));
            }
            answer.set("read", json(IncrementalCooperativeConnectProtocol.deserializeAssignment(
                ByteBuffer.wrap(Base64.getDecoder().decode(node.get("ours").asText())))));
        }
        System.out.println(JSON.writeValueAsString(answers));
    }

    private static ExtendedAssignment assignment(JsonNode node) {
        return new ExtendedAssignment((short) 2, (short) node.get("error").asInt(), node.get("leader").asText(),
            node.get("leader_url").asText(), node.get("config_offset").asLong(), names(node.get("connectors")),
            tasks(node.get("tasks")), names(node.get("revoked_connectors")), tasks(node.get("revoked_tasks")),
            node.get("delay_ms").asInt());
    }

    private static JsonNode json(ExtendedAssignment assignment) {
        ObjectNode node = JSON.createObjectNode();
        node.put("error", assignment.error());
        node.put("leader", assignment.leader());
        node.put("leader_url", assignment.leaderUrl());
        node.put("config_offset", assignment.offset());
        assignment.connectors().forEach(node.putArray("connectors")::add);
        assignment.tasks().forEach(task -> add(node.withArray("tasks"), task));
        assignment.revokedConnectors().forEach(node.putArray("revoked_connectors")::add);
        assignment.revokedTasks().forEach(task -> add(node.withArray("revoked_tasks"), task));
        node.put("delay_ms", assignment.delay());
        return node;
    }

    private static void add(ArrayNode array, ConnectorTaskId task) {
        array.addArray().add(task.connector()).add(task.task());
    }

    private static List<String> names(JsonNode array) {
        List<String> names = new ArrayList<>();
        array.forEach(name -> names.add(name.asText()));
        return names;
    }

    private static List<ConnectorTaskId> tasks(JsonNode array) {
        List<ConnectorTaskId> tasks = new ArrayList<>();
        array.forEach(task -> tasks.add(new ConnectorTaskId(task.get(0).asText(), task.get(1).asInt())));
        return tasks;
    }

    private static String text(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return Base64.getEncoder().encodeToString(bytes);
    }
}
